"""A Slurm of one machine, as far as an array job needs one: sbatch, srun, sacct and scontrol by the name it is called.

A job is a folder of $FAKE_SLURM: a script, and per task its attempts, the pid of the running one, its state. Each
attempt but the last of $FAKE_SLURM_TIMEOUTS is told that its time is up (SIGUSR2) as soon as a checkpoint is on disk.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(os.environ["FAKE_SLURM"])
JOB = "1000"


def sbatch(words: list[str]) -> None:
    """Run every task of the array, each with a keeper of its own, and say the job's number."""
    script = Path(words[-1]).read_text()
    (ROOT / "script").write_text(script)
    last = int(re.search(r"^#SBATCH --array=0-(\d+)%\d+$", script, re.M)[1])  # type: ignore[index]
    for index in range(last + 1):
        (ROOT / f"{index}.state").write_text("PENDING")
        subprocess.Popen([sys.executable, __file__, "keep", str(index)], start_new_session=True, stdout=-3, stderr=-3)
    print(f"Submitted batch job {JOB}")


def keep(words: list[str]) -> None:
    """One task: attempt after attempt, as long as it is requeued."""
    (index,) = words
    patience = int(os.environ.get("FAKE_SLURM_TIMEOUTS", "0"))
    about = {"SLURM_JOB_ID": f"{int(JOB) + int(index)}", "SLURM_ARRAY_JOB_ID": JOB, "SLURM_ARRAY_TASK_ID": index}
    about |= {"SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    again, attempt = ROOT / f"{index}.requeued", 0
    while True:
        again.unlink(missing_ok=True)
        (ROOT / f"{index}.state").write_text("RUNNING")
        with (ROOT / f"{index}.attempts").open("a") as file:
            file.write(f"{attempt}\n")
        began = time.time()
        run = subprocess.Popen(["bash", str(ROOT / "script")], env={**os.environ, **about})
        if attempt < patience:
            while run.poll() is None and checkpoint(pid := ROOT / f"{index}.pid") < began:
                time.sleep(0.02)
            if run.poll() is None:
                os.kill(int(pid.read_text()), signal.SIGUSR2)
        code = run.wait()
        if not again.exists():
            break
        attempt += 1
    (ROOT / f"{index}.state").write_text("COMPLETED" if code == 0 else "FAILED")


def checkpoint(pid: Path) -> float:
    """When the run that this process has open was last saved; 0 where there is none."""
    try:
        open_files = [Path(file).resolve() for file in Path("/proc", pid.read_text(), "fd").iterdir()]
        return max(file.with_name("checkpoint.pt").stat().st_mtime for file in open_files if file.name == ".lock")
    except (OSError, ValueError):
        return 0.0


def srun(words: list[str]) -> None:
    """Become the command, its output going where the script says."""
    index = os.environ["SLURM_ARRAY_TASK_ID"]
    for option, stream in (("--output", 1), ("--error", 2)):
        name = words[words.index(option) + 1]
        for pattern, value in (("%A", JOB), ("%a", index), ("%t", "0")):
            name = name.replace(pattern, value)
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    command = words[words.index("--error") + 2 :]
    (ROOT / f"{index}.pid").write_text(str(os.getpid()))
    os.execvp(command[0], command)


def sacct(words: list[str]) -> None:
    print("JobID|State|NodeList")
    for file in sorted(ROOT.glob("*.state")):
        print(f"{JOB}_{file.stem}|{file.read_text()}|here")


def scontrol(words: list[str]) -> None:
    action, job = words
    assert action == "requeue", action
    (ROOT / f"{job.partition('_')[2]}.requeued").touch()


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    globals()[name](rest)
