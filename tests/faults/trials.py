"""One fault in one job: disturb it, give the same command again, do what it says if it says so, compare."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import damage
from tests.faults.judge import complaint, difference
from tests.faults.server import Ended, Server, members

RESUMED, TOLD, FAILED = "resumed, equal", "one line, then equal", "FAILED"
SOON = ("checkpoint_seconds=0.05",)


@dataclass(frozen=True)
class Job:
    """`rows`: about how many its tables have, `saves`: how many files it moves into place, where it saves often;
    `seconds`: how long it takes. `in_order`: its rows always come in the same order.
    """

    name: str
    words: tuple[str, ...]
    rows: int = 0
    saves: int = 0
    seconds: float = 1.0
    in_order: bool = True
    settings: tuple[str, ...] = SOON
    workers: bool = False


COMMANDS = """
train problem=teacher batch_size=16 steps=1000 every=20
sharpness problem=teacher steps=100 sharpness.every=4 every=4
sweep-stability problem=teacher curve.points=6 steps=100 every=10 block=2 workers=0
sweep-stability problem=teacher curve.points=6 steps=100 every=10 block=2 workers=2
sde-compare optimizer=signsgd paths=100 steps=300 every=10
flow-compare problem=teacher optimizer=gd optimizer.lr=0.1 steps=40 every=2 warmup=10
reproduce signsgd_phases out=outputs workers=2
"""
TRAIN, SHARPNESS, HERE, SPREAD, SDE, FLOW, REPRODUCE = (tuple(line.split()) for line in COMMANDS.strip().splitlines())
JOBS = {
    job.name: job
    for job in (
        Job("train", TRAIN, 50, 8),
        Job("sharpness", SHARPNESS, 75, 8),
        Job("sweep, here", HERE, 72, 8),
        Job("sweep, 2 workers", SPREAD, 72, 8, 1.2, in_order=False, workers=True),
        Job("sde", SDE, 2400, 6),
        Job("flow", FLOW, 1200, 5, 1.3),
        Job("reproduce", REPRODUCE, 20000, 10, 3.5, settings=(), workers=True),
    )
}


@dataclass(frozen=True)
class Fault:
    """`kind`: how the harness goes about it; `group`: its row of the table; the rest: the details."""

    group: str
    kind: str
    how: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    verdict: str
    text: str = ""
    lost: int = 0
    doubled: int = 0
    tracebacks: int = 0


class Broken(Exception):
    """Something that must not be; its text says what."""


class Trials:
    """`server` runs the commands, `second` those beside them; undisturbed runs are kept in `place`."""

    def __init__(self, place: Path, server: Server, second: Server) -> None:
        self.place, self.server, self.second = place, server, second

    def undisturbed(self, job: Job) -> Path:
        folder = self.place / f"undisturbed {job.name}"
        if not folder.exists():
            ended = self.server.run(folder, [*job.words, *job.settings])
            assert (ended.code, ended.err) == (0, ""), ended
        return folder

    def judged(self, job: Job, fault: Fault, folder: Path, seed: int) -> Outcome:
        """What became of it. `folder` must not be there yet."""
        wanted, chance, said = self.undisturbed(job), random.Random(seed), []
        folder.mkdir(parents=True)
        os.chmod(folder, 0o777)
        try:
            self._disturb(job, fault, folder, chance, said)
            verdict = self._mended(job, fault, folder, said)
            if (found := difference(folder, wanted, job.in_order)).text:
                return Outcome(FAILED, found.text, found.lost, found.doubled, _tracebacks(said))
            return Outcome(verdict, "", 0, 0, _tracebacks(said))
        except Broken as broken:
            return Outcome(FAILED, str(broken), 0, 0, _tracebacks(said))
        except (OSError, ValueError, AssertionError) as error:  # files that cannot even be judged
            return Outcome(FAILED, repr(error), 0, 0, _tracebacks(said))

    def _mended(self, job: Job, fault: Fault, folder: Path, said: list[Ended]) -> str:
        again = self._run(job, folder, said)
        if not again.code:
            return RESUMED
        if "force=true" not in again.err:
            raise Broken(f"told: {again.err}")
        self._run(job, folder, said, "force=true")
        if said[-1].code:
            raise Broken(f"force=true: {said[-1].err}")
        return TOLD

    def _run(self, job: Job, folder: Path, said: list[Ended], *words: str, **inside: Any) -> Ended:
        ended = self.server.run(folder, [*job.words, *job.settings, *words], inside or None)
        return _checked(ended, said, inside.get("signal_") == signal.SIGKILL)

    def _disturb(self, job: Job, fault: Fault, folder: Path, chance: random.Random, said: list[Ended]) -> None:
        how = dict(fault.how)
        match fault.kind:
            case "inside":
                self._run(job, folder, said, **how)
            case "signal":
                self._signal(job, folder, said, how["signal_"], how["after"])
            case "worker":
                self._worker(job, folder, said, how["after"])
            case "damage":
                self._damage(job, folder, chance, said, **how)
            case "forbidden":
                self._forbidden(job, folder, said, how["at"])
            case "two":
                self._two(job, folder, said)

    def _signal(self, job: Job, folder: Path, said: list[Ended], number: int, after: float) -> None:
        pid = self.server.start(folder, [*job.words, *job.settings])
        time.sleep(after)
        _send(pid, number)
        _checked(self.server.end(), said, True)

    def _worker(self, job: Job, folder: Path, said: list[Ended], after: float) -> None:
        pid = self.server.start(folder, [*job.words, *job.settings])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and os.path.exists(f"/proc/{pid}"):
            if len(others := sorted({*members(pid)} - {pid})) >= 2:
                time.sleep(after)
                _send(others[-1], signal.SIGKILL)
                break
            time.sleep(0.01)
        _checked(self.server.end(), said, False)

    def _damage(
        self, job: Job, folder: Path, chance: random.Random, said: list[Ended], file: str, way: str, done: bool
    ) -> None:
        if done:
            damage.copy(self.undisturbed(job), folder)
        else:  # killed once there are checkpoints
            at = max(2, int(job.saves * chance.uniform(0.5, 0.9)))
            name = ".pt" if file.endswith(".pt") else "checkpoint.pt"
            how = {"kind": "stop", "point": "after", "file": name, "at": at, "signal_": int(signal.SIGKILL)}
            self._run(job, folder, said, **how)
        if found := sorted(folder.glob(f"outputs/**/{file}")):
            damage.damage(chance.choice(found), way, chance)

    def _forbidden(self, job: Job, folder: Path, said: list[Ended], at: int) -> None:
        if at:
            self._run(job, folder, said, kind="stop", point="row", at=at, signal_=int(signal.SIGKILL))
        damage.forbid(folder)
        for name in ("out", "err"):
            (folder / name).touch()
            (folder / name).chmod(0o666)
        ended = self._run(job, folder, said, kind="nobody")
        damage.allow(folder)
        if ended.code != 2:
            raise Broken(f"it wrote where it must not: {ended}")

    def _two(self, job: Job, folder: Path, said: list[Ended]) -> None:
        self.server.start(folder, [*job.words, *job.settings])
        beside, deadline = folder / "beside", time.monotonic() + 30
        beside.mkdir()
        while not list(folder.glob("outputs/*/*/run.log")) and time.monotonic() < deadline:
            time.sleep(0.01)
        (beside / "outputs").symlink_to(folder / "outputs")
        late = _checked(self.second.run(beside, [*job.words, *job.settings]), said, False)
        (beside / "outputs").unlink()
        if late.code == 2 and "another process" not in late.err:
            raise Broken(f"the second writer: {late}")
        if _checked(self.server.end(), said, False).code:
            raise Broken(f"the first writer: {said[-1]}")


def _checked(ended: Ended, said: list[Ended], killed: bool) -> Ended:
    said.append(ended)
    if wrong := complaint(ended.code, ended.err, killed):
        raise Broken(wrong)
    if ended.orphans:
        raise Broken(f"{ended.orphans} processes left behind")
    return ended


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _tracebacks(said: list[Ended]) -> int:
    return sum("Traceback" in one.err for one in said)
