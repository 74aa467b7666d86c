"""Which faults there are: every kind at every job it can befall, and random moments for as many more as are wanted."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.faults.damage import KINDS
from tests.faults.injected import SIGNALS
from tests.faults.trials import Fault, Job

#: What lies in a run's folder, and whether the run is finished.
FILES = (
    ("checkpoint.pt", False),
    ("env.json", False),
    ("config.yaml", False),
    ("done.json", True),
    ("summary.json", True),
    ("env.json", True),
    ("config.yaml", True),
    ("checkpoint.pt", True),
)


def faults(job: Job, chance: random.Random) -> Iterator[Fault]:
    """Without end: first each kind once, then again at other moments."""
    while True:
        once = [*_signals(job, chance), *_points(job, chance), *_disk(job, chance), *_files(job, chance)]
        once += _rest(job, chance)
        chance.shuffle(once)
        yield from once


def _signals(job: Job, chance: random.Random) -> Iterator[Fault]:
    for name, number in SIGNALS.items():
        for share in (0.3, 1.0):
            after = chance.uniform(0.0, share * job.seconds)
            yield Fault(f"{name}, any moment", "signal", {"signal_": int(number), "after": after})
    if job.workers:
        yield Fault("a worker is killed", "worker", {"after": chance.uniform(0.0, 0.5 * job.seconds)})


def _points(job: Job, chance: random.Random) -> Iterator[Fault]:
    def stop(group: str, signal: str, **how: object) -> Fault:
        return Fault(group, "inside", {"kind": "stop", "signal_": int(SIGNALS[signal]), **how})

    if job.name != "reproduce":  # whose rows are its workers'
        for signal in SIGNALS:
            yield stop(f"{signal} after a row", signal, point="row", at=chance.randrange(1, job.rows))
        yield stop("SIGKILL within a row", "SIGKILL", point="torn", at=chance.randrange(1, job.rows))
    for point in ("before", "after"):
        for file in ("checkpoint.pt", "summary.json", "done.json", "env.json"):
            at = chance.randrange(1, job.saves) if file == "checkpoint.pt" else 1
            yield stop(f"SIGKILL {point} a file is in place", "SIGKILL", point=point, file=file, at=at)
    if job.name == "reproduce":
        for file in ("report.json", "claims.csv", ".svg"):
            yield stop("SIGKILL before a file is in place", "SIGKILL", point="before", file=file, at=1)


def _disk(job: Job, chance: random.Random) -> Iterator[Fault]:
    for what, most in (("row", job.rows), ("fsync", 2 * job.saves), ("log", 2), ("open", job.saves)):
        how = {"kind": "full", "what": what, "at": chance.randrange(1, most)}
        yield Fault(f"disk full ({what})", "inside", how)
    for most in (1000, 4000, 30000):
        size = chance.randrange(500, most)  # what the command says must fit
        yield Fault("RLIMIT_FSIZE", "inside", {"kind": "limit", "size": size})


def _files(job: Job, chance: random.Random) -> Iterator[Fault]:
    def broken(file: str, way: str, done: bool) -> Fault:
        group = "last CSV line" if file.endswith("*.csv") and way != "foreign" else file.replace("[!r]", "")
        return Fault(f"{group} {way}", "damage", {"file": file, "way": way, "done": done})

    for file, done in FILES:
        yield broken(file, chance.choice(KINDS), done)
    for way in KINDS:
        yield broken("checkpoint.pt", way, False)
        yield broken("[!r]*.csv" if job.name == "reproduce" else "*.csv", way, chance.random() < 0.5)
    if "sweep" in job.name:
        for way in KINDS:
            yield broken("blocks/*.pt", way, False)
    if job.name == "reproduce":
        for way in KINDS:
            yield broken("report.json", way, True)
            yield broken("*.claims.csv", way, True)


def _rest(job: Job, chance: random.Random) -> Iterator[Fault]:
    for years, name in ((5.0, "time"), (-5.0, "time"), (5.0, "monotonic"), (5.0, "perf_counter")):
        how = {"kind": "clock", "years": years, "name": name, "at": chance.randrange(1, 40)}
        yield Fault(f"clock jump ({name})", "inside", how)
    yield Fault("read-only folder", "forbidden", {"at": 0})
    if job.name != "reproduce":
        yield Fault("read-only folder", "forbidden", {"at": chance.randrange(1, job.rows)})
        yield Fault("two writers", "two")
