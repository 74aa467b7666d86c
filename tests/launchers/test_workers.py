"""Would catch workers of launch=workers that outlive Ctrl-C, or whose death loses more than a moment of work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def started(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "aeos", "train", "-m", "seed=0,1,2", "problem=quadratic", "every=1000000", *words]
    command += ["launch=workers", "launch.workers=2"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("outputs/train/*/checkpoint.pt"))) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def children(pid: int) -> list[int]:
    """Worker processes: those that were spawned to run Python's multiprocessing."""
    found = subprocess.run(["ps", "-ww", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "spawn_main" in line]


def test_ctrl_c_stops_all_workers_with_one_line(tmp_path: Path) -> None:
    process = started(tmp_path, "steps=100000000", "checkpoint_seconds=0.1")
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "aeos: interrupted; the same command continues\n")
    assert len(workers) == 2
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_a_killed_worker_costs_no_run_that_can_do_without_it(tmp_path: Path) -> None:
    """Whichever of the two runs it had under way goes on from its checkpoint, and so does the other one."""
    process = started(tmp_path, "steps=20000", "checkpoint_seconds=0.01")
    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert len(list(tmp_path.glob("outputs/train/*/done.json"))) == 3
