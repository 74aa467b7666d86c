"""Would catch: a prediction set beside another process, a warm-up that moves the clock, a kill that shows in a flow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aeos.schema.flow import FLOWS
from tests.conftest import Said
from tests.jobs.killed_runs import assert_same, has_checkpoint, killed, tables

EDGE = ("problem=teacher", "optimizer=gd", "optimizer.lr=0.35", "substeps=2")


@pytest.fixture(scope="module")
def at_the_edge(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """40 steps from the midpoint after 1200, where two eigenvalues are critical."""
    there = tmp_path_factory.mktemp("edge")
    command = [sys.executable, "-m", "aeos", "flow-compare", *EDGE, "steps=1240", "warmup=1200", "coordinates=202"]
    done = subprocess.run(command, cwd=there, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return there, done.stdout


def test_its_tables_stand_on_the_optimizers_clock(at_the_edge: tuple[Path, str]) -> None:
    found = tables(at_the_edge[0])
    every = [*range(1200, 1241)]
    names = ["gd", *FLOWS["gd"]]
    assert found.keys() == {"metrics", "distances", "coordinates", "predictions", "smoothed", "eigenvalues"}
    assert all(list(found[name]["step"].unique()) == every for name in found.keys() - {"eigenvalues"})
    assert list(found["eigenvalues"]["step"].unique()) == [1200, 1210, 1220, 1230, 1240]
    assert list(found["metrics"]["process"].unique()) == names
    assert set(found["eigenvalues"]["process"]) == {*FLOWS["gd"]}
    pairs = set(found["distances"][["process", "reference"]].itertuples(index=False, name=None))
    assert pairs == {(a, b) for a in names for b in ("gd", "midpoint") if a != b}


def test_what_is_measured_is_the_optimizers_and_what_is_smoothed_its_average(at_the_edge: tuple[Path, str]) -> None:
    found = tables(at_the_edge[0])
    rows = found["predictions"].set_index(["quantity", "step"])
    own = found["metrics"].query("process == 'gd'").set_index("step")
    assert rows.loc["train_loss", "measured"].to_numpy() == pytest.approx(own["train_loss"].to_numpy(), rel=1e-12)
    squared = rows.loc["squared_gradient", "measured"].to_numpy()
    assert squared == pytest.approx(own["grad_norm"].to_numpy() ** 2, rel=1e-12)
    smooth = found["smoothed"].query("quantity == 'train_loss'").set_index("step")["smoothed"]
    weights = np.exp(-0.5 * ((np.arange(1200, 1241) - 1215) / 50) ** 2)
    assert smooth[1215] == pytest.approx(np.average(own["train_loss"], weights=weights), rel=1e-12)  # 4 σ reach beyond


def test_predictions_of_each_entry_add_up_to_those_of_the_norm(at_the_edge: tuple[Path, str]) -> None:
    """E‖g‖² over all 202 entries; the variances along the critical directions to their trace."""
    found = tables(at_the_edge[0])
    rows = found["predictions"].set_index(["quantity", "step"])
    entries = (
        found["coordinates"].query("process == 'central_flow'").groupby("step")["predicted_squared_gradient"].sum()
    )
    assert entries.to_numpy() == pytest.approx(rows.loc["squared_gradient", "predicted"].to_numpy(), rel=1e-10)
    for column in ("predicted", "measured"):
        parts = rows.loc["variance[1]", column] + rows.loc["variance[2]", column]
        assert parts.to_numpy() == pytest.approx(rows.loc["variance", column].to_numpy(), rel=1e-9, abs=1e-15)
    assert (rows.loc["variance[1]", "predicted"] >= rows.loc["variance[2]", "predicted"]).all()


def test_the_flow_stays_at_the_edge_and_predicts_the_mean_loss(at_the_edge: tuple[Path, str]) -> None:
    there, said = at_the_edge
    found = tables(there)
    central = found["eigenvalues"].query("process == 'central_flow' and step > 1200")
    locked = central.query("index == 1")["value"].to_numpy() * 0.35
    assert locked == pytest.approx(2, abs=1e-4)  # set after: 2e-5; the second is at times a little below
    assert central.query("index == 2")["value"].to_numpy() * 0.35 == pytest.approx(2, abs=0.01)  # set after: 4e-3
    (file,) = there.glob("outputs/flow_compare/*/summary.json")
    means = json.loads(file.read_text())["averages"]["central_flow"]
    later = found["predictions"].query("step > 1200 and quantity == 'train_loss'")
    assert means["train_loss"]["measured"] == pytest.approx(later["measured"].mean(), rel=1e-12)
    assert means["train_loss"]["predicted"] == pytest.approx(later["measured"].mean(), rel=0.15)  # §5 asks 10% of 500
    assert f"train loss {means['train_loss']['predicted']:.4g}, measured" in said


@pytest.mark.parametrize("optimizer", ["rmsprop", "scalar_rmsprop"])
def test_every_flow_of_an_rmsprop_runs_from_its_start(
    optimizer: str, aeos: Callable[..., Said], tmp_path: Path
) -> None:
    words = ("problem=teacher", f"optimizer={optimizer}", "optimizer.lr=3e-3", "steps=3", "every=3", "coordinates=4")
    said = aeos("flow-compare", *words)
    assert (said.code, said.err) == (0, "")
    found = tables(tmp_path)
    assert list(found["metrics"]["process"].unique()) == [optimizer, *FLOWS[optimizer]]
    assert found["coordinates"].query("process != 'midpoint'")["second_moment"].notna().all()
    assert set(found["predictions"]["process"]) == {"central_flow", "ablated_flow"}
    assert (found["predictions"].query("quantity == 'variance'")["predicted"] >= 0).all()


def test_a_second_moment_beside_the_one_at_rest(aeos: Callable[..., Said], tmp_path: Path) -> None:
    """At step 0 ν̂ = g², which is where it would rest below the edge; at the edge, after 500 steps, nearly so again."""
    words = ("problem=teacher", "optimizer=rmsprop", "optimizer.lr=3e-3", "flows=[midpoint]", "rest.every=600")
    assert aeos("flow-compare", *words, "steps=600", "every=100", "sharpness.every=null").code == 0
    rows = tables(tmp_path)["rest"].set_index("step")
    assert list(rows.index) == [0, 600]
    assert rows.loc[0, ["cosine", "ratio", "critical"]].to_numpy() == pytest.approx([1, 1, 0], rel=1e-12)
    assert rows.loc[600, "critical"] >= 2
    assert rows.loc[600, "cosine"] > 0.98  # set after: 0.997, and 0.996 or more from step 550 on
    assert rows.loc[600, "residual"] <= 1e-4


def test_a_flow_that_nothing_holds_at_the_edge_diverges_with_its_optimizer(
    aeos: Callable[..., Said], tmp_path: Path
) -> None:
    """A quadratic has no third derivative: beyond 2/η no oscillation bends gradient descent back."""
    words = ("problem=quadratic", "problem.spectrum=[1,21]", "dtype=float64", "steps=10", "every=5", "optimizer=gd")
    said = aeos("flow-compare", *words, "optimizer.lr=0.1", "flows=[central_flow]")
    assert (said.code, said.err) == (0, "")
    assert "central_flow diverged at step 0" in said.out
    assert list(tables(tmp_path)["metrics"].query("process == 'central_flow'")["step"]) == [0]


def test_a_kill_changes_no_digit_of_a_central_flow(aeos: Callable[..., Said], tmp_path: Path) -> None:
    """RMSprop after a warm-up, all flows: trackers and what they remember lie in the checkpoint."""
    settings = ("problem=teacher", "optimizer=rmsprop", "optimizer.lr=0.003", "steps=116", "warmup=100", "every=2")
    words = ("flow-compare", *settings, "threads=1", "sharpness.every=3")
    there = tmp_path / "killed"
    assert "continues from its checkpoint" in killed(there, words, has_checkpoint(there))
    assert aeos(*words).code == 0
    assert assert_same(there, tmp_path).keys() > {"predictions", "eigenvalues"}
