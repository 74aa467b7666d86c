"""Would catch: rows that a sink is given twice, late or not at all, and a sink whose fault becomes the run's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aeos.errors import BadInput
from aeos.results import sinks
from aeos.results.folder import RunFolder
from aeos.results.read import NOT_IDENTITY
from aeos.results.sinks import About, Curves
from tests.conftest import Said, composed


class Fake:
    """Keeps what it is given; fails at the row of step 3 when asked to."""

    made: list[Fake]
    fails = False

    def __init__(self, place: Path, about: About) -> None:
        self.about, self.rows, self.closed = about, [], 0
        (place / "tensorboard").mkdir(exist_ok=True)
        (place / "tensorboard" / "file").touch()
        Fake.made.append(self)

    def write(self, table: str, row: Any) -> None:
        if self.fails and row["step"] == 3:
            raise OSError("no\nspace")
        self.rows.append((table, dict(row)))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fake, "made", [], raising=False)
    monkeypatch.setitem(sinks.SINKS, "tensorboard", ("json", Fake))


def folder(tmp_path: Path, *words: str) -> RunFolder:
    words = ("problem=quadratic", "optimizer=gd", f"out={tmp_path}", "sinks=[tensorboard]", *words)
    return RunFolder("train", composed(*words))


def row(step: int) -> dict[str, Any]:
    return {"step": step, "process": "gd", "train_loss": 0.1 * step}


def test_a_restart_gives_what_its_checkpoint_vouches_for_and_then_what_is_new(tmp_path: Path) -> None:
    with folder(tmp_path).opened({}) as recorder:
        recorder.write("metrics", row(0))
        recorder.write("sharpness", row(0))
        recorder.save({})
        recorder.write("metrics", row(1))  # lost, as by a kill
    with folder(tmp_path).opened({}) as recorder:
        recorder.write("metrics", row(2))
    first, second = Fake.made
    assert first.rows == [("metrics", row(0)), ("sharpness", row(0)), ("metrics", row(1))]
    as_text = {"step": "0", "process": "gd", "train_loss": "0.0"}
    assert second.rows == [("metrics", as_text), ("sharpness", as_text), ("metrics", row(2))]
    assert (first.closed, second.closed) == (1, 1)
    assert second.about.config["optimizer"]["name"] == "gd"
    assert folder(tmp_path).path.name == second.about.name
    assert second.about.name.endswith(second.about.id)


def test_one_that_fails_is_left_out_with_one_warning(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(Fake, "fails", True)
    with folder(tmp_path).opened({}) as recorder:
        for step in range(6):
            recorder.write("metrics", row(step))
    line = "sinks: tensorboard failed (OSError: no space) and is left out; the tables have every row"
    assert capsys.readouterr().err == f"aeos: {line}\n"
    assert (folder(tmp_path).path / "run.log").read_text().count(line) == 1
    assert len((folder(tmp_path).path / "metrics.csv").read_text().splitlines()) == 1 + 6
    assert [given["step"] for _, given in Fake.made[0].rows] == [0, 1, 2]
    assert Fake.made[0].closed == 1


def test_force_clears_what_a_sink_left_also_without_it(tmp_path: Path) -> None:
    for words in ((), ("force=true", "sinks=[]")):
        with folder(tmp_path, *words).opened({}):
            left = folder(tmp_path).path / "tensorboard" / "file"
            assert left.exists() == (not words)


def test_sinks_do_not_say_what_a_run_computes(tmp_path: Path) -> None:
    assert "sinks" in NOT_IDENTITY
    assert folder(tmp_path).path == folder(tmp_path, "sinks=[]").path


def test_curves_are_told_apart_by_what_tells_rows_apart() -> None:
    of = Curves().of
    assert of("metrics", row(7)) == (7, {"metrics/train_loss": 0.1 * 7})
    flow = {"step": 7, "process": "flow", "train_loss": 2, "lr": None}
    assert of("metrics", flow) == (7, {"metrics/train_loss/flow": 2.0})
    value = {"step": 8, "process": "gd", "operator": "hessian", "index": 2, "value": "3.5"}
    assert of("eigenvalues", value) == (8, {"eigenvalues/value/hessian/index=2": 3.5})
    point = {"beta": 0.9, "gamma": 0.5, "seed": 0}
    along = of("trajectories", {**point, "step": 3, "train_loss": 1.0})
    assert along == (3, {"trajectories/train_loss/beta=0.9/gamma=0.5/seed=0": 1.0})
    for number in range(2):  # no steps: the number of the row, and numbers that are keys are drawn like the rest
        at, values = of("points", {**point, "status": "finished", "slope": 0.1})
        assert (at, values) == (number, {f"points/{name}": x for name, x in {**point, "slope": 0.1}.items()})
    for quantity in ("train_loss", "v[0]"):
        assert of("averages", {"process": "gd", "quantity": quantity, "mean": 1.0})[1] == {
            f"averages/mean/{quantity}": 1
        }


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_package_is_said_before_anything_is_written(
    name: str, aeos: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sinks.SINKS, name, ("not_there.at_all", Fake))
    said = aeos("train", "problem=quadratic", "steps=1", f"sinks=[{name}]")
    assert (said.code, said.out) == (2, "")
    assert said.err == f'aeos: sinks=[{name}]: not installed: pip install "aeos[{name}]"\n'
    assert list(tmp_path.iterdir()) == []


def test_what_shows_that_a_package_is_there_is_what_it_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorboard", "wandb"):
        monkeypatch.undo()
        for module in [module for module in sys.modules if module.partition(".")[0] == name] or [name]:
            monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(BadInput, match=name):
            sinks.check([name])
