"""Would catch: work done twice or lost, a failed claim that goes unnoticed, and one figure that stops the others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from aeos.figures.registry import figure
from aeos.paths import PACKAGE, conf_dir
from aeos.reproduce.entry import Entry
from aeos.reproduce.perform import perform
from aeos.reproduce.request import Request
from tests.conftest import Said

QUICK = ("problem=quadratic", "optimizer=gd", "steps=40", "every=5")


def request(out: Path, *lists: tuple[str, ...]) -> Request:
    """The figure of training curves, of these runs, and one of theory alone."""
    curves = replace(figure("training"), overrides=tuple((*QUICK, *words) for words in lists))
    return Request((curves, figure("stability_region")), "quick", {"out": str(out), "workers": "2"})


def entries(wanted: Request) -> dict[str, Entry]:
    return {entry.name: entry for entry in perform(wanted, lambda done, total: None)}


def marks(out: Path) -> dict[str, int]:
    return {str(file.parent.name): file.stat().st_mtime_ns for file in out.glob("*/*/done.json")}


def test_what_is_there_is_not_done_again_and_what_is_gone_is(tmp_path: Path) -> None:
    wanted = request(tmp_path, ("seed=0,1",), ("optimizer.lr=0.5",))
    told: list[tuple[int, int]] = []
    first = {entry.name: entry for entry in perform(wanted, lambda done, total: told.append((done, total)))}
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert {name: entry.status for name, entry in first.items()} == {
        "training": "no claims",
        "stability_region": "PASS",
    }
    assert len(first["training"].runs) == 3
    assert first["training"].varying == {"optimizer.lr": [0.4, 0.5], "seed": [0, 1]}
    assert first["training"].common["steps"] == 40
    before = marks(tmp_path)
    (gone,) = (run for run in tmp_path.glob("train/*") if "lr: 0.5" in (run / "config.yaml").read_text())
    shutil.rmtree(gone)
    again = entries(wanted)
    after = marks(tmp_path)
    assert {run for run in after if after[run] != before[run]} == {gone.name}
    assert again["training"].runs == first["training"].runs
    assert (tmp_path / "report" / "figures" / "training.svg").is_file()


def test_a_run_that_cannot_be_stops_neither_its_neighbours_nor_other_figures(tmp_path: Path) -> None:
    found = entries(request(tmp_path, ("seed=0",), ("optimizer.lr=-1",)))
    assert found["training"].status == "MISSING"
    assert found["training"].error.startswith("optimizer.lr=-1")
    assert found["stability_region"].status == "PASS"
    assert len(marks(tmp_path)) == 1


def orphans(out: Path) -> list[str]:
    """Command lines of processes that still work in this folder."""
    inside = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "cwd")) == out:
                inside.append((process / "cmdline").read_text())
        except OSError:
            continue
    return inside


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_any_moment_it_goes_on_and_leaves_nobody_behind(how: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aeos", "reproduce", "signsgd_phases", "out=here", "workers=2"]
    started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("here/sde_compare/*/moments.csv")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    started.send_signal(how)
    _, said = started.communicate(timeout=60)
    if how == signal.SIGINT:
        assert (started.returncode, said) == (130, "aeos: interrupted; the same command continues\n")
    while orphans(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not list(tmp_path.glob("here/*/*/done.json")), "it ended before it was stopped"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 of 1 figures, 10 of 10 claims hold" in done.stdout
    (run,) = tmp_path.glob("here/sde_compare/*")
    log = (run / "run.log").read_text()
    assert log.count("begins") + log.count("continues") == 2
    rows = pd.read_csv(run / "moments.csv")
    assert not rows.duplicated(["step", "process", "quantity"]).any()


def tampered(tmp_path: Path, file: str, right: str, wrong: str) -> Path:
    """A copy of the package with one constant changed."""
    shutil.copytree(PACKAGE, tmp_path / "aeos", ignore=shutil.ignore_patterns("__pycache__", "conf"))
    shutil.copytree(conf_dir(), tmp_path / "conf")
    text = (tmp_path / "aeos" / file).read_text()
    assert text.count(right) == 1
    (tmp_path / "aeos" / file).write_text(text.replace(right, wrong))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "right", "wrong", "name"),
    [
        (
            "theory/stability/coefficients.py",
            "return 2 * ((1 - gamma) / gamma) - (1 - beta) / beta",
            "return 2 * ((1 - gamma) / gamma) + (1 - beta) / beta",
            "stability_region",
        ),
        ("theory/sde/signsgd.py", "special.erf(z / math.sqrt(2))", "special.erf(z)", "signsgd_phases"),
    ],
)
def test_a_wrong_constant_in_the_theory_makes_a_claim_fail(
    file: str, right: str, wrong: str, name: str, tmp_path: Path
) -> None:
    where = tampered(tmp_path, file, right, wrong)
    words = [sys.executable, "-m", "aeos", "reproduce", name]
    done = subprocess.run(words, cwd=where, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stdout
    assert f"aeos: {name}: " in done.stderr
    assert "measured" in done.stderr
    (entry,) = json.loads((where / "outputs" / "report" / "report.json").read_text())["figures"]
    assert entry["status"] == "FAIL"


@pytest.mark.parametrize("words", [(), ("stability_regoin",), ("all", "scale=ful"), ("all", "--dry-rum")])
def test_words_that_mean_nothing_leave_nothing_behind(
    words: tuple[str, ...], aeos: Callable[..., Said], tmp_path: Path
) -> None:
    said = aeos("reproduce", *words)
    assert (said.code, said.err.count("\n"), said.out) == (2, 1, "")
    assert not list(tmp_path.iterdir())


def test_a_dry_run_prints_commands_that_can_be_pasted_and_does_nothing(
    aeos: Callable[..., Said], tmp_path: Path
) -> None:
    said = aeos("reproduce", "talk_distances", "2411.15958", "scale=full", "--dry-run")
    assert said.code == 0
    for command in figure("talk_distances").commands:
        assert command in said.out.splitlines()
    assert said.out.count("# signsgd_phases: ") == 1
    assert not list(tmp_path.iterdir())
