"""Would catch: one process drawn as another, means with the first step in them, claims that any flow fulfils."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figure_runs import Make
from flow_runs import AVERAGES, DISTANCE, LOSS, RATIO, beside_run, swing

from aeos.errors import BadInput
from aeos.figures.flows.panels import SMOOTH
from aeos.figures.flows.processes import claims, draw
from aeos.figures.flows.readings import criticality, limit, look, metric, prediction
from aeos.figures.labels import labels
from aeos.results.read import Run

T = np.arange(101)
OPTIMIZERS = ("gd", "scalar_rmsprop", "rmsprop")


def drawn(panel: Any, process: str) -> list[np.ndarray]:
    """What is drawn in the colour of a process, in order."""
    return [line.get_ydata() for line in panel.lines if line.get_color() == look(process)["color"]]


def test_an_eigenvalue_is_read_over_the_threshold_of_its_step(make_run: Make) -> None:
    for optimizer in OPTIMIZERS:
        run = beside_run(make_run, optimizer, optimizer)
        np.testing.assert_allclose(criticality(run, "midpoint"), RATIO["midpoint"](T))
        np.testing.assert_allclose(criticality(run, "central_flow", 2), 0.9 * RATIO["central_flow"](T))
        assert limit(run) == ("gradient_flow" if optimizer == "gd" else "stable_flow")
    run = beside_run(make_run, "other", "rmsprop")
    table = run.table("metrics").assign(lr=0.02)  # twice what the run's setting says, as a schedule may have it
    table.to_csv(run.path / "metrics.csv", index=False)
    np.testing.assert_allclose(criticality(run, "midpoint"), 2 * RATIO["midpoint"](T))
    table[table["step"] % 2 == 0].to_csv(run.path / "metrics.csv", index=False)  # seen less often than the spectrum
    np.testing.assert_allclose(criticality(run, "midpoint"), 2 * RATIO["midpoint"](T)[::2])


def test_decay_that_moves_the_threshold_is_considered(make_run: Make) -> None:
    decays = (("gd", True, 0.9), ("gd", False, 0.9), ("rmsprop", True, 0.9), ("rmsprop", False, 1.0))
    for optimizer, decoupled, share in decays:
        run = beside_run(make_run, f"{optimizer}{decoupled}", optimizer)
        lr = run.config["optimizer"]["lr"]
        run.config["optimizer"] |= {"weight_decay": 0.2 / lr, "decoupled": decoupled}  # threshold (2 − 0.2)/η
        np.testing.assert_allclose(criticality(run, "midpoint"), RATIO["midpoint"](T) / share)


def test_averages_leave_out_the_step_at_which_the_flow_begins(make_run: Make) -> None:
    rows = prediction(beside_run(make_run), "variance")
    assert list(rows.index) == list(range(301, 401))
    assert rows["predicted"].mean() == pytest.approx(0.2)


def test_one_run_is_four_panels(make_run: Make) -> None:
    run = beside_run(make_run)
    distance, spectrum, loss, variance = draw([run], labels([run])).axes
    for process, name in (("gradient_flow", "limit"), ("midpoint", "midpoint"), ("central_flow", "central_flow")):
        (only,) = drawn(distance, process)
        np.testing.assert_allclose(only, DISTANCE[name](T))
        second, first = drawn(spectrum, process)
        np.testing.assert_allclose(first, RATIO[name](T))
        np.testing.assert_allclose(second, 0.9 * first)
    for process, name in (("gradient_flow", "limit"), ("central_flow", "central_flow")):
        np.testing.assert_allclose(drawn(loss, process)[0], LOSS[name](T))
    for panel, quantity in ((loss, "train_loss"), (variance, "variance")):
        raw, smooth = drawn(panel, "gd")
        np.testing.assert_allclose(raw, AVERAGES[quantity][1](T)[1:])
        np.testing.assert_allclose(smooth, AVERAGES[quantity][1](T).mean())
        (dashed,) = [line.get_ydata() for line in panel.lines if line.get_color() == "black"]
        np.testing.assert_allclose(dashed, AVERAGES[quantity][0](T)[1:])


def test_several_runs_are_a_row_each(make_run: Make) -> None:
    runs = [beside_run(make_run, name, name) for name in OPTIMIZERS]
    figure = draw(runs, labels(runs))
    assert [panel.get_title() for panel in figure.axes[1::3]] == ["gradient descent", "scalar RMSprop", "RMSprop"]
    for panel in figure.axes[2::3]:
        np.testing.assert_allclose(drawn(panel, "central_flow")[0], DISTANCE["central_flow"](T))
    assert [line.get_linewidth() for line in figure.axes[0].lines].count(SMOOTH["linewidth"]) == 1
    assert len(claims(runs)) == 15
    assert [claim.text.partition(":")[0] for claim in claims(runs)][::5] == [
        "gradient descent", "scalar RMSprop", "RMSprop",
    ]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_right_flow_fulfils_every_claim(make_run: Make, optimizer: str) -> None:
    assert [claim.verdict for claim in claims([beside_run(make_run, optimizer=optimizer)])] == ["PASS"] * 5


def changed(table: Any, key: str, value: Any) -> dict[str, Any]:
    return {**table, key: value}


@pytest.mark.parametrize(
    ("optimizer", "change", "failed"),
    [
        ("gd", {"distance": changed(DISTANCE, "central_flow", lambda t: 0.41 * (0.02 + 1e-3 * t))}, [0]),
        ("gd", {"distance": changed(DISTANCE, "central_flow", lambda t: 0.39 * (0.02 + 1e-3 * t))}, []),
        ("rmsprop", {"distance": changed(DISTANCE, "central_flow", lambda t: np.where(t == 100, 0.025, 0))}, [0]),
        ("rmsprop", {"distance": changed(DISTANCE, "central_flow", lambda t: np.where(t < 100, 0.1, 0))}, []),
        ("scalar_rmsprop", {"distance": changed(DISTANCE, "central_flow", lambda t: 0.0003 * t)}, [0]),
        ("gd", {"distance": changed(DISTANCE, "limit", lambda t: 0.2 - 1e-3 * t)}, [1]),
        ("gd", {"ratio": changed(RATIO, "central_flow", lambda t: np.where(t == 50, 1.0011, 1.0))}, [2]),
        ("gd", {"ratio": changed(RATIO, "central_flow", lambda t: np.where(t == 50, 0.9989, 1.0))}, [2]),
        ("gd", {"averages": changed(AVERAGES, "train_loss", (lambda t: 1.1 + 0 * t, lambda t: 0.98 + 0 * t))}, [3]),
        ("gd", {"averages": changed(AVERAGES, "variance", (lambda t: 1.0 + 0 * t, lambda t: 1.21 * swing(t)))}, [4]),
        ("gd", {"averages": changed(AVERAGES, "variance", (lambda t: np.nan * t, swing))}, [4]),
    ],
)
def test_a_wrong_flow_fails(make_run: Make, optimizer: str, change: Any, failed: list[int]) -> None:
    found = claims([beside_run(make_run, optimizer=optimizer, **change)])
    assert [place for place, claim in enumerate(found) if claim.verdict == "FAIL"] == failed


def test_a_run_that_lacks_a_process_is_explained(make_run: Make) -> None:
    without = {name: path for name, path in LOSS.items() if name != "limit"}
    with pytest.raises(BadInput, match="a: has no gradient or stable flow; give a run with it"):
        claims([beside_run(make_run, loss=without)])
    without = {name: path for name, path in DISTANCE.items() if name != "central_flow"}
    with pytest.raises(BadInput, match=r"b: no rows of central_flow beside gd; wait .*, or give a run"):
        claims([beside_run(make_run, "b", distance=without)])
    run: Run = beside_run(make_run, "c")
    assert metric(run, "gd").iloc[0] == 2.0
    with pytest.raises(BadInput, match="c: no rows of stable_flow; wait"):
        metric(run, "stable_flow")
