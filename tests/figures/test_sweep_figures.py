"""Would catch: a slope held against the wrong rate or on the wrong side of C = 0, a path of another point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figure_runs import Make
from sweep_runs import impulse, sweep_run

from aeos.errors import BadInput
from aeos.figures.claims import Claim
from aeos.figures.labels import labels
from aeos.figures.stability import boundary, readings, slope
from aeos.results.read import load
from aeos.theory import stability

ACROSS = stability.normal_curve(16, 0.29, 0.5, (-2.0, 0.5))  # both boundaries, 0.08 in β apart

Row = dict[str, Any]


def verdicts(claims: list[Claim]) -> list[str]:
    return [claim.verdict for claim in claims]


def twice(row: Row) -> Row:
    return row | {"slope": 2 * row["slope"]}


def published(row: Row) -> Row:
    return row | {"slope": max(0.0, -row["coefficient"] / 2)}


def restless(row: Row) -> Row:
    return row | ({"slope": -0.02} if row["coefficient"] > 0.04 else {})


def beyond(row: Row) -> Row:
    return row | {"bound_ratio": 1 + 2e-9}


def unfitted(row: Row) -> Row:
    return row | ({"slope": None, "status": "diverged"} if row["coefficient"] < -0.04 else {})


@pytest.mark.parametrize(
    ("change", "failing"),
    [(dict, []), (unfitted, []), (twice, [0, 1, 2]), (published, [0, 2]), (restless, [4]), (beyond, [5])],
)
def test_claims_of_the_slope(make_run: Make, change: Any, failing: list[int]) -> None:
    run = sweep_run(make_run, "r", steps=2000, change=change)
    assert [i for i, verdict in enumerate(verdicts(slope.claims([run]))) if verdict == "FAIL"] == failing


def test_claims_need_points_on_their_side(make_run: Make) -> None:
    stable = sweep_run(make_run, "s", [(0.999, 0.9), (0.99, 0.9), (0.99, 0.0)])
    assert [claim.text for claim in slope.claims([stable])] == [
        "C > 0.005: largest |slope|",
        "largest max-update over its exact bound",
    ]
    unbounded = sweep_run(make_run, "u", [(0.999, 0.9)], change=lambda row: row | {"bound_ratio": None})
    assert len(slope.claims([unbounded])) == 1


def test_the_bound_grows_as_an_impulse_does(make_run: Make) -> None:
    table = readings.swept([sweep_run(make_run, "r", [(0.9, 0.98), (0.8, 0.95)], steps=1000)])
    n = np.arange(800, 1000)
    growth = [np.polyfit(n, np.log(impulse(n, b, g)), 1)[0] for b, g in table[["beta", "gamma"]].to_numpy()]
    assert slope.bound_slopes(table) == pytest.approx(growth, rel=1e-9)


def test_panels_of_the_slope(make_run: Make) -> None:
    runs = [sweep_run(make_run, "r", seeds=2), sweep_run(make_run, "s", [(0.99, 0.9), (0.9, 0.0)])]
    growth, slopes, ratios, plane, losses, bar = slope.draw(runs, labels(runs)).axes
    assert len(growth.get_lines()) == 3 * 7
    assert growth.get_yscale() == "log"
    assert [len(panel.collections[-1].get_offsets()) for panel in (slopes, losses)] == [33, 34]  # γ = 0 has C = ∞
    assert len(ratios.collections[-1].get_offsets()) == 14  # C < −0.005, of two seeds
    assert plane.get_xlabel() == r"$\gamma$"
    assert bar.get_ylabel() == "$C$"


def test_a_path_belongs_to_its_point(make_run: Make) -> None:
    run = sweep_run(make_run, "r", seeds=2, loss=lambda row, step: row["gamma"] + step)
    table = readings.swept([run])
    assert table["coefficient"].is_monotonic_increasing
    expected = table["gamma"] + 0.01 * table["seed"]
    assert readings.best_within(table, readings.followed([run])) == pytest.approx(expected, rel=1e-12)


def test_no_finished_point_is_refused(make_run: Make) -> None:
    run = sweep_run(make_run, "r")
    header = (run.path / "points.csv").read_text().split("\n")[0]
    (run.path / "points.csv").write_text(header + "\n")
    with pytest.raises(BadInput, match="r: no point is finished yet"):
        slope.draw([load(run.path)], ["r"])


@pytest.mark.parametrize(("change", "failing"), [(dict, []), (published, [0, 1]), (twice, [0]), (beyond, [2])])
def test_claims_across_both_boundaries(make_run: Make, change: Any, failing: list[int]) -> None:
    def settled(row: Row) -> Row:
        return change(row | ({"slope": 0.001} if row["discrete_coefficient"] > 0 else {}))

    run = sweep_run(make_run, "r", ACROSS, change=settled)
    assert [i for i, verdict in enumerate(verdicts(boundary.claims([run]))) if verdict == "FAIL"] == failing


def test_panels_across_both_boundaries(make_run: Make) -> None:
    run = sweep_run(make_run, "r", ACROSS, steps=200)
    figure = boundary.draw([run], ["adam"])
    shaded = figure.axes[1].patches[0].get_extents().transformed(figure.axes[1].transData.inverted())
    inside = [c for c, exact in readings.swept([run])[["coefficient", "exact"]].to_numpy() if exact < 0]
    assert (shaded.x0, shaded.x1) == (pytest.approx(min(inside)), pytest.approx(0, abs=1e-12))
    assert len(figure.legends[0].get_texts()) == 5
