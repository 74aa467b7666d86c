"""Would catch: a model that is left out or named otherwise, numbers that are not the tables', a kill that shows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from aeos.jobs.flow_compare import MODELS
from aeos.schema.flow import FLOWS
from tests.conftest import Said
from tests.jobs.killed_runs import assert_same, has_checkpoint, killed

SMALL = ("problem=teacher", "steps=12", "every=4", "optimizer.lr=1e-3")


def test_every_name_of_a_flow_has_a_model() -> None:
    assert {name: tuple(known) for name, known in MODELS.items()} == FLOWS


def test_it_leaves_three_tables_and_says_how_far_apart_they_ended(aeos: Callable[..., Said], tmp_path: Path) -> None:
    said = aeos("flow-compare", *SMALL)
    assert (said.code, said.err) == (0, "")
    (run,) = tmp_path.glob("outputs/flow_compare/*")
    tables = {file.stem: pd.read_csv(file) for file in run.glob("*.csv")}
    assert tables.keys() == {"metrics", "distances", "coordinates"}
    assert list(tables["metrics"]["process"].unique()) == ["adam", *FLOWS["adam"]]
    assert list(tables["distances"]["process"].unique()) == [*FLOWS["adam"]]
    assert all(list(table["step"].unique()) == [0, 4, 8, 12] for table in tables.values())
    assert len(tables["coordinates"]) == 4 * 4 * 16
    assert tables["metrics"][["lr", "train_loss", "grad_norm"]].notna().all(axis=None)
    moved = tables["distances"].query("step > 0")
    assert moved["relative"].to_numpy() == pytest.approx(moved["distance"] / moved["displacement"], rel=1e-12)
    assert tables["distances"].query("step == 0")["relative"].isna().all()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["processes"].keys() == {"adam", *FLOWS["adam"]}
    for name, shares in summary["relative"].items():
        own = moved.query("process == @name")["relative"]
        assert (shares["end"], shares["largest"]) == (own.iloc[-1], own.max())
        assert shares["mean"] == pytest.approx(own.mean(), rel=1e-12)
        assert f"{name} {100 * shares['end']:.2g}%" in said.out
    assert summary["relative"]["adam_corrected"]["end"] < 0.01


def test_minibatches_schedules_and_fewer_flows_without_coordinates(aeos: Callable[..., Said], tmp_path: Path) -> None:
    words = ("batch_size=16", "schedule=warmup_cosine", "flows=[adam_corrected]", "coordinates=0", "optimizer=adamw")
    said = aeos("flow-compare", *SMALL, *words)
    assert (said.code, said.err) == (0, "")
    (table,) = tmp_path.glob("outputs/flow_compare/*/distances.csv")
    assert set(pd.read_csv(table)["process"]) == {"adam_corrected"}
    assert not (table.parent / "coordinates.csv").exists()


def test_divergence_is_a_result_of_whoever_diverges(aeos: Callable[..., Said], tmp_path: Path) -> None:
    """With ηλ = 3 AdamW overshoots zero farther and farther, where its first-order model decays."""
    words = ("problem=quadratic", "dtype=float64", "steps=2000", "every=500", "flows=[adam_order1]")
    said = aeos("flow-compare", *words, "optimizer.weight_decay=3", "optimizer.lr=1")
    assert (said.code, said.err) == (0, "")
    assert "diverged at step" in said.out
    (file,) = tmp_path.glob("outputs/flow_compare/*/summary.json")
    summary = json.loads(file.read_text())
    assert summary["status"] == "diverged"
    assert summary["processes"]["adam"]["diverged_at"] is not None
    assert summary["processes"]["adam_order1"]["diverged_at"] is None
    assert summary["processes"]["adam_order1"]["steps"] == 2000


def test_gradient_descent_is_beside_gradient_flow_until_its_edge(aeos: Callable[..., Said], tmp_path: Path) -> None:
    """A quadratic: e^(−ηhk) beside (1 − ηh)^k, at the optimizer's own clock, and where that swings without end."""
    words = ("problem=quadratic", "problem.spectrum=[1,21]", "dtype=float64", "steps=10", "every=5", "optimizer=gd")
    said = aeos("flow-compare", *words, "optimizer.lr=0.1", "coordinates=2")
    assert (said.code, said.err) == (0, "")
    (file,) = tmp_path.glob("outputs/flow_compare/*/coordinates.csv")
    rows = pd.read_csv(file).query("step == 10").set_index(["process", "index"])["value"]
    assert rows["gd", 0] == pytest.approx(0.9**10)
    assert rows["gd", 1] == pytest.approx(1.1**10)
    assert rows["gradient_flow", 0] == pytest.approx(math.exp(-1), rel=1e-6)
    assert abs(rows["gradient_flow", 1]) < 1e-8


CASES = {
    "optimizer=kadam": "optimizer=kadam: has no flow; choose one of gd, rmsprop, scalar_rmsprop, adam",
    "optimizer=gd flows=[adam_order1]": "gd has no adam_order1; it has midpoint, gradient_flow",
    "optimizer=gd batch_size=16": "batch_size=null",
    "optimizer.beta1=0": "optimizer.beta1=0",
    "optimizer.bias_correction=false": "optimizer.bias_correction=false",
    "optimizer.freeze=5": "optimizer.freeze=5",
    "substeps=1": "set substeps=2",
    "batch_size=100": "batch_size=100: there are only 64",
    "flows=[]": "flows",
    "flows=[adam_order3]": "adam_corrected",
    "flows=[adam_order1,adam_order1]": "each once",
    "coordinates=-1": "coordinates",
    "optimizer=adam flows=[central_flow]": "none is known for momentum; take optimizer=rmsprop, or see where it stands",
    "optimizer=ema": "optimizer=ema: has no stable or central flow: none is known for momentum; take optimizer=gd",
    "optimizer=nadam flows=[central_flow]": "aeos sharpness optimizer=nadam",
    "optimizer=gd flows=[ablated_flow]": "gd has no ablated_flow",
    "optimizer=gd warmup=200": "warmup=200: must be at most steps=100",
    "warmup=20": "Adam's models begin where Adam does",
    "optimizer=rmsprop optimizer.beta2=0": "optimizer.beta2=0",
    "optimizer=rmsprop optimizer.beta2=0.1": "set substeps=9",
    "optimizer=rmsprop optimizer.freeze=3": "optimizer.freeze=3",
    "optimizer=gd tol=1": "tol=1.0: must be in [1e-14, 1e-3]",
    "optimizer=gd rest.every=1": "rest.every=1: only RMSprop's second moment has such a place; set optimizer=rmsprop",
    "optimizer=gd smoothing=0": "smoothing=0.0",
    "optimizer=gd sharpness.top=203": "sharpness.top=203: must be at most the number of parameters, 202",
    "optimizer=gd problem=edge model=cnn data=mnist5k": "model.activation=relu: central flows need a smooth loss",
    "optimizer=gd problem=edge model=cnn data=mnist5k model.activation=gelu": "model.pool=max",
}


@pytest.mark.parametrize("word", CASES)
def test_what_cannot_work_says_so_in_one_line(word: str, aeos: Callable[..., Said], tmp_path: Path) -> None:
    said = aeos("flow-compare", "problem=teacher", *word.split())
    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert CASES[word] in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_kill_changes_no_digit(aeos: Callable[..., Said], tmp_path: Path) -> None:
    words = ("flow-compare", "problem=teacher", "batch_size=16", "steps=80", "every=5", "threads=1")
    there = tmp_path / "killed"
    assert "continues from its checkpoint" in killed(there, words, has_checkpoint(there))
    assert aeos(*words).code == 0
    assert all(len(table) > 50 for table in assert_same(there, tmp_path).values())
