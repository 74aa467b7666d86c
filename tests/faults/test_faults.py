"""Would catch: a fault after which a run has other rows than the undisturbed one, or says more than a line about it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.injected import SIGNALS
from tests.faults.judge import tables
from tests.faults.server import ROOT, Server
from tests.faults.trials import FAILED, RESUMED, TOLD, Fault, Job, Trials

OFTEN = ("checkpoint_seconds=0.005",)
SWEEP = ("sweep-stability", "problem=quadratic", "curve.points=4", "steps=60", "every=10", "block=2")
TRAIN = Job("train", ("train", "problem=quadratic", "steps=300", "every=10"), 30, 3, settings=OFTEN)
HERE = Job("here", (*SWEEP, "workers=0"), 32, 3, settings=OFTEN)
SPREAD = Job("spread", (*SWEEP, "workers=2"), 32, 3, in_order=False, settings=OFTEN, workers=True)
SDE = Job("sde", ("sde-compare", "optimizer=signsgd", "paths=20", "steps=40", "every=5"), 500, 3, settings=OFTEN)
FLOW = Job("flow", ("flow-compare", "problem=teacher", "optimizer=gd", "steps=10", "warmup=3"), 100, 2, settings=OFTEN)


def stop(signal: str, point: str, at: int, file: str = "") -> Fault:
    how = {"kind": "stop", "signal_": int(SIGNALS[signal]), "point": point, "at": at, "file": file}
    return Fault(f"{signal} {point} {file}", "inside", how)


def inside(kind: str, **how: Any) -> Fault:
    return Fault(f"{kind} {how.get('what', '')}", "inside", {"kind": kind, **how})


def damaged(file: str, way: str, done: bool = False) -> Fault:
    return Fault(f"{file} {way}", "damage", {"file": file, "way": way, "done": done})


#: What must become of each, were the rows equal: a run that could go on must not ask to be done again.
FAULTS = [
    (TRAIN, stop("SIGKILL", "torn", 17), RESUMED),
    (TRAIN, stop("SIGKILL", "before", 2, "checkpoint.pt"), RESUMED),
    (TRAIN, stop("SIGKILL", "after", 1, "summary.json"), RESUMED),
    (TRAIN, stop("SIGTERM", "row", 12), RESUMED),
    (TRAIN, inside("full", what="row", at=9), RESUMED),
    (TRAIN, inside("full", what="fsync", at=4), RESUMED),
    (TRAIN, inside("full", what="log", at=1), RESUMED),
    (TRAIN, inside("limit", size=2000), RESUMED),
    (TRAIN, inside("clock", name="time", years=-5.0, at=1), RESUMED),
    (TRAIN, inside("clock", name="monotonic", years=5.0, at=5), RESUMED),
    (TRAIN, damaged("checkpoint.pt", "corrupted"), TOLD),
    (TRAIN, damaged("checkpoint.pt", "foreign"), TOLD),
    (TRAIN, damaged("*.csv", "appended"), RESUMED),
    (TRAIN, damaged("*.csv", "corrupted", done=True), TOLD),
    (TRAIN, damaged("env.json", "foreign"), TOLD),
    (TRAIN, damaged("config.yaml", "truncated", done=True), RESUMED),
    (TRAIN, damaged("done.json", "foreign", done=True), RESUMED),
    (TRAIN, damaged("summary.json", "emptied", done=True), RESUMED),
    (TRAIN, Fault("read-only", "forbidden", {"at": 11}), RESUMED),
    (HERE, stop("SIGKILL", "row", 20), RESUMED),
    (HERE, damaged("blocks/*.pt", "truncated"), TOLD),
    (SPREAD, stop("SIGINT", "row", 20), RESUMED),
    (SPREAD, Fault("a worker is killed", "worker", {"after": 0.0}), RESUMED),
    (SDE, stop("SIGINT", "row", 250), RESUMED),
    (FLOW, stop("SIGKILL", "row", 60), RESUMED),
]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    server = Server()
    yield Trials(tmp_path_factory.mktemp("trials"), server, server)
    server.close()


@pytest.mark.parametrize(("job", "fault", "verdict"), FAULTS, ids=lambda value: getattr(value, "group", None))
def test_afterwards_the_rows_are_those_of_the_undisturbed_run(
    job: Job, fault: Fault, verdict: str, trials: Trials, tmp_path: Path
) -> None:
    outcome = trials.judged(job, fault, tmp_path / "run", seed=0)
    assert outcome.verdict != FAILED, outcome.text
    assert outcome.verdict == verdict


def test_a_member_that_is_no_number_diverges_alone(trials: Trials, tmp_path: Path) -> None:
    wanted = tables(trials.undisturbed(HERE))
    ended = trials.server.run(tmp_path, [*HERE.words, *HERE.settings], {"kind": "nan", "member": 1, "step": 33})
    assert (ended.code, ended.err) == (0, "")
    found = tables(tmp_path)
    assert found.keys() == wanted.keys()
    for name, rows in found.items():
        ill = {row[:3] for row in rows if "diverged" in row} | {(row[0], row[1], row[2]) for row in rows if "33" in row}
        assert len(ill) == 2  # the second member of each of the two blocks
        assert [row for row in rows if row[:3] not in ill] == [row for row in wanted[name] if row[:3] not in ill]
        steps = [row[3] for row in rows if row[:3] in ill]
        assert name.endswith("points.csv") or steps == ["0", "10", "20", "30", "33"] * 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_is_read_in_ends_it_without_a_word(number: signal.Signals, tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    starts = "import signal, sys; sys.meta_path.insert(0, type('', (), {'find_spec': lambda name, *_: "
    starts += f"signal.raise_signal({int(number)}) if name == 'typer' else None}})); "
    starts += "import runpy; runpy.run_module('aeos', run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", starts], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-number, "", "")
