"""Would catch: a rise that falls back and passes, or a raw sharpness at the threshold that shows no pattern."""

from __future__ import annotations

import numpy as np
import pytest
from edge_runs import edge_run
from figure_runs import Make

from aeos.figures.edge import raw, rise
from aeos.figures.labels import labels

STEP = np.arange(0, 1001, 10)


def test_the_rise_is_shown_from_zero_with_its_threshold(make_run: Make) -> None:
    run = edge_run(make_run, "a", cross=150)
    panel = rise.draw([run], labels([run])).axes[0]
    data, dashed = panel.lines
    np.testing.assert_allclose(data.get_ydata(), 100 * run.table("sharpness")["ratio"])
    assert set(dashed.get_ydata()) == {100.0}
    assert panel.get_ylim()[0] == 0


def test_a_rise_is_judged_from_its_smallest_value_to_the_edge(make_run: Make) -> None:
    falls_first = np.where(STEP < 30, 0.7 - 0.01 * STEP, 0.4 + 0.005 * (STEP - 30))
    back = falls_first - 0.2 * ((STEP > 90) & (STEP < 120))
    claims = rise.claims([edge_run(make_run, "a", columns={"ratio": falls_first})])
    assert [(claim.verdict, claim.measured) for claim in claims] == [("PASS", 0.0), ("PASS", 150.0)]
    claims = rise.claims([edge_run(make_run, "b", columns={"ratio": back})])
    assert [claim.verdict for claim in claims] == ["FAIL", "PASS"]
    assert claims[0].measured == pytest.approx(0.15)
    for number, late in enumerate((0.9, 1.0)):
        claims = rise.claims([edge_run(make_run, f"c{number}", late, cross=400)])
        assert [claim.verdict for claim in claims] == ["PASS", "FAIL"]


def test_the_raw_sharpness_and_its_threshold_are_both_in_sight(make_run: Make) -> None:
    run = edge_run(make_run, "a")
    panel = raw.draw([run], labels([run])).axes[0]
    np.testing.assert_allclose(panel.lines[0].get_ydata(), run.table("sharpness")["sharpness"])
    assert panel.get_yscale() == "log"
    assert panel.get_ylim()[1] > 100
    assert panel.get_ylabel() == "sharpness"


@pytest.mark.parametrize(("level", "verdict"), [(2.0, "PASS"), (95.0, "FAIL"), (105.0, "FAIL"), (150.0, "PASS")])
def test_a_raw_sharpness_near_the_threshold_would_be_a_pattern(make_run: Make, level: float, verdict: str) -> None:
    run = edge_run(make_run, "a", columns={"sharpness": np.where(STEP < 400, 1.0, level)})
    (claim,) = raw.claims([run])
    assert claim.verdict == verdict
    assert claim.measured == pytest.approx(abs(level / 100 - 1))
