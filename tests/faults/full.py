"""Break every job in every way, many times: scripts/faults [--faults N] [--seed S]. Prints a table; exit code 1 if
anything was lost, doubled or said in more than one line.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.faults.catalogue import faults
from tests.faults.server import Server
from tests.faults.trials import FAILED, JOBS, RESUMED, TOLD, Fault, Job, Outcome, Trials

ROOT = Path(__file__).resolve().parents[2]
LANES = 2
Done = list[tuple[Job, Fault, Outcome]]


def main() -> int:
    words = argparse.ArgumentParser(prog="scripts/faults", description="Faults in every job")
    words.add_argument("--faults", type=int, default=280, help="how many")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--job", choices=JOBS, action="append", help="these jobs alone")
    given = words.parse_args()
    began, place, done = time.monotonic(), Path(tempfile.mkdtemp(prefix="aeos-faults-")), []
    place.chmod(0o755)
    todo = list(enumerate(chosen(given.faults, given.seed, given.job or list(JOBS))))
    prepared(place, given.job or list(JOBS))
    lanes = [threading.Thread(target=lane, args=(place, todo, given.seed, done)) for _ in range(LANES)]
    for one in lanes:
        one.start()
    for one in lanes:
        one.join()
    print(table(done))
    failed = [outcome for _, _, outcome in done if outcome.verdict == FAILED]
    seconds = time.monotonic() - began
    print(f"\n{len(done)} faults, {len(failed)} failed, {seconds:.0f} s, {LANES} side by side, seed {given.seed}")
    if failed:
        print(f"what failed is kept in {place}")
    else:
        shutil.rmtree(place)
    return int(bool(failed) or fuzzed())


def chosen(count: int, seed: int, jobs: list[str]) -> list[tuple[Job, Fault]]:
    """So many in all; reproduce, whose runs take longest, gets half a share."""
    weights = {name: 1 if name == "reproduce" else 2 for name in jobs}
    found = []
    for name, weight in weights.items():
        endless = faults(JOBS[name], random.Random(f"{seed} {name}"))
        found += [(JOBS[name], next(endless)) for _ in range(-(-count * weight // sum(weights.values())))]
    random.Random(seed).shuffle(found)
    return found


def prepared(place: Path, jobs: list[str]) -> None:
    """The undisturbed runs."""
    server = Server()
    trials = Trials(place, server, server)
    for name in jobs:
        trials.undisturbed(JOBS[name])
    server.close()


def lane(place: Path, todo: list[tuple[int, tuple[Job, Fault]]], seed: int, done: Done) -> None:
    servers = Server(), Server()
    trials = Trials(place, *servers)
    while True:
        try:
            number, (job, fault) = todo.pop(0)  # one step, also where two threads take
        except IndexError:
            break
        folder = place / f"{number:03d}"
        outcome = trials.judged(job, fault, folder, seed * 10**6 + number)
        done.append((job, fault, outcome))
        if outcome.verdict == FAILED:
            print(f"{folder}: {job.name}: {fault}: {outcome.text}", file=sys.stderr, flush=True)
        else:
            shutil.rmtree(folder)
    for server in servers:
        server.close()


def table(done: Done) -> str:
    """Fault × job, in Markdown: how many resumed, said what to do, failed; and the sums."""
    names = list(dict.fromkeys(job.name for name, job in JOBS.items() if any(job is one for one, _, _ in done)))
    head = ["fault", *names, RESUMED, TOLD, FAILED, "rows lost", "rows doubled", "tracebacks"]
    lines = [head, ["---"] * len(head)]
    groups = sorted({fault.group for _, fault, _ in done})
    for group in [*groups, "all"]:
        some = [(job, outcome) for job, fault, outcome in done if group in (fault.group, "all")]
        jobs, verdicts = Counter(job.name for job, _ in some), Counter(outcome.verdict for _, outcome in some)
        sums = [sum(getattr(o, key) for _, o in some) for key in ("lost", "doubled", "tracebacks")]
        cells = [*(jobs[name] for name in names), *(verdicts[one] for one in (RESUMED, TOLD, FAILED)), *sums]
        lines.append([group, *map(str, cells)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fuzzed() -> int:
    """The overrides' fuzz, at length."""
    file = ROOT / "tests" / "cli" / "test_fuzz_overrides.py"
    if not file.exists():
        return 0
    env = os.environ | {"AEOS_FUZZ": "1200"}
    return subprocess.run([sys.executable, "-m", "pytest", str(file)], cwd=ROOT, env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
