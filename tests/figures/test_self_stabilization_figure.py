"""Would catch: cycles cut at the wrong place, limits that nothing passes, claims that a run off the map would pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figure_runs import Make
from stabilization_runs import ALPHA, BETA, DELTA, LR, on_the_map, stabilizing_run

from aeos.errors import BadInput
from aeos.figures.edge.oscillation import LOST, cycles, joined
from aeos.figures.edge.self_stabilization import claims, draw
from aeos.figures.labels import labels
from aeos.theory.self_stabilization import energy, largest, reach

DAMPED = on_the_map(0.15, 0.0, 400, damping=0.3)  # found by trial: cycles that shrink, slowly


def test_a_cycle_goes_from_one_rise_through_the_threshold_to_the_next(make_run: Make) -> None:
    found = cycles(stabilizing_run(make_run, columns=DAMPED))
    level = DAMPED["sharpness"] * LR / 2
    starts = [int(cycle.rows["step"].iloc[0]) for cycle in found]
    assert starts == [k for k in range(401) if level[k] >= 1 and (k == 0 or level[k - 1] < 1)]
    assert [int(cycle.rows["step"].iloc[-1]) for cycle in found] == [*starts[1:], 400]
    assert len(found) > 3
    for cycle in found:
        assert cycle.holds
        np.testing.assert_allclose(cycle.measured.x, cycle.rows["x"], rtol=1e-9)
        np.testing.assert_allclose(cycle.level(cycle.measured), cycle.rows["level"], rtol=1e-12)


def test_an_oscillation_that_was_lost_begins_where_it_is_found_again(make_run: Make) -> None:
    made = on_the_map(1e-7, 0.2, 80)
    (first, *_) = cycles(stabilizing_run(make_run, columns=made))
    start = int(first.rows["step"].iloc[0])
    assert np.abs(made["x"][start - 1]) < LOST * DELTA <= np.abs(made["x"][start])
    assert first.energy == pytest.approx(
        float(energy(made["x"][start], made["sharpness"][start] - 2 / LR, LR, ALPHA, BETA))
    )
    size = np.abs(first.rows["x"]).max() / DELTA
    assert first.peaks == pytest.approx((size, float(largest(first.energy))))


def test_limits_are_those_of_either_map_or_of_the_second_eigenvector(make_run: Make) -> None:
    made = on_the_map(0.01, 1.0, 60)
    (cycle, *_) = cycles(stabilizing_run(make_run, "a", made))
    assert not cycle.holds
    size = np.abs(made["x"])
    assert size[cycle.limit - 1] <= reach(LR, BETA) < size[cycle.limit]
    other = np.where(np.arange(61) == 3, 0.4, 0.2) * made["x"]
    (cycle, *_) = cycles(stabilizing_run(make_run, "b", made | {"second_x": other}))
    assert cycle.limit == 3


def test_gentle_cycles_are_joined(make_run: Make) -> None:
    found = cycles(stabilizing_run(make_run, columns=DAMPED))
    *single, last = joined(found)
    assert [cycle.energy > 1 for cycle in found] == [True] * len(single) + [False] * (len(found) - len(single))
    assert list(last.rows["step"]) == list(range(int(found[len(single)].rows["step"].iloc[0]), 401))


STEP = np.arange(401)
BURST = on_the_map(0.01, 1.0, 60)
PAST = np.arange(61) > int(np.flatnonzero(np.abs(BURST["x"]) > reach(LR, BETA))[0])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (DAMPED, "PPPPPP"),
        (on_the_map(0.15, 0.0, 200), "PPPPFP"),  # with constants cycles widen
        (DAMPED | {"x": np.where(STEP == 15, 1.2, 1.0) * DAMPED["x"]}, "FPPPPP"),
        (DAMPED | {"x": np.where(STEP == 42, 1.5, 1.0) * DAMPED["x"]}, "FPPFPP"),  # where it is largest
        (DAMPED | {"sharpness": DAMPED["sharpness"] + 0.15 * (STEP == 15)}, "PFFPPP"),
        (DAMPED | {"sharpness": DAMPED["sharpness"] + 0.04 * (STEP == 300)}, "PPPPPF"),
        (DAMPED | {"alpha": 0.98 * DAMPED["alpha"]}, "PPPPPF"),
        (BURST, "PPF"),
        (BURST | {"sharpness": np.where(PAST, 2 / LR, BURST["sharpness"])}, "PPP"),
    ],
)
def test_claims(make_run: Make, columns: dict[str, Any], expected: str) -> None:
    found = claims([stabilizing_run(make_run, columns=columns)])
    assert "".join(claim.verdict[0] for claim in found) == expected


def test_three_panels_a_run_grey_where_the_model_is_past_its_limits(make_run: Make) -> None:
    runs = [stabilizing_run(make_run, "a", BURST), stabilizing_run(make_run, "b", DAMPED, steps=400)]
    panels = draw(runs, labels(runs)).axes
    titles = [panel.get_title(loc="left") for panel in panels]
    assert titles == ["steps=50\n(a)", "(b)", "(c)", "steps=400\n(d)", "(e)", "(f)"]
    assert [len(panel.patches) for panel in panels] == [0, 1, 1, 0, 0, 0]
    (first, *_) = cycles(runs[0])
    assert panels[1].patches[0].get_x() == first.rows["step"].iloc[first.limit]
    for size, level, run in ((panels[1], panels[2], runs[0]), (panels[4], panels[5], runs[1])):
        rows = run.table("self_stabilization")
        step = np.asarray(size.lines[0].get_xdata(), dtype=int)
        np.testing.assert_array_equal(size.lines[0].get_ydata(), rows["x"].abs()[step])
        np.testing.assert_allclose(level.lines[0].get_ydata(), rows["sharpness"][step] * LR / 2)
    measured, constant = panels[4].lines[2:4]
    np.testing.assert_allclose(measured.get_ydata(), np.abs(DAMPED["x"][: len(measured.get_ydata())]), rtol=1e-9)
    assert len(constant.get_ydata()) == len(measured.get_ydata())


def test_a_run_without_a_cycle_is_refused(make_run: Make) -> None:
    for name, change in (("a", {"sharpness": 4.9}), ("b", {"second_x": 1.0})):
        with pytest.raises(BadInput, match=f"{name}: the sharpness does not rise, alone, above its threshold"):
            cycles(stabilizing_run(make_run, name, change))
