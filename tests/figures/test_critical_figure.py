"""Would catch: a critical sharpness above λ₁ that passes, the cold first search counted among the warm ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_runs import edge_run
from figure_runs import Make

from aeos.errors import BadInput
from aeos.figures.edge.critical import claims, draw
from aeos.figures.labels import labels
from aeos.results.read import Run


def run(make: Make, name: str = "gd", level: float = 1.0, share: float = 0.95, passes: int = 5) -> Run:
    """λ_c is `share`·λ₁ from step 200 on, and nearly nothing before."""
    step = np.arange(0, 1001, 10)
    ratio = np.minimum(0.2 + (level - 0.2) * step / 200, level)
    columns: dict[str, Any] = {
        "ratio": ratio,
        "critical_sharpness": 100 * ratio * np.where(step < 200, 0.01, share),
        "passes": np.where(step == 0, 500, passes),
    }
    return edge_run(make, name, columns=columns, optimizer={"name": name, "lr": 0.4, "beta1": 0.0})


def verdicts(one: Run) -> list[str]:
    return [claim.verdict for claim in claims([one])]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["PASS", "PASS", "PASS"]),
        ({"share": 1.2}, ["FAIL", "PASS", "PASS"]),
        ({"share": 0.7}, ["PASS", "FAIL", "PASS"]),
        ({"passes": 11}, ["PASS", "PASS", "FAIL"]),
        ({"level": 0.8, "share": 0.1}, ["PASS", "PASS"]),
    ],
)
def test_claims(make_run: Make, settings: dict[str, Any], expected: list[str]) -> None:
    assert verdicts(run(make_run, **settings)) == expected


def test_one_panel_a_run_and_one_for_the_quotient(make_run: Make) -> None:
    runs = [run(make_run, "gd"), run(make_run, "adam", share=0.9)]
    panels = draw(runs, labels(runs)).axes
    assert [panel.get_title() for panel in panels] == ["gd", "adam", ""]
    last = [np.asarray(line.get_ydata())[-1] for line in panels[2].lines]
    assert last == [pytest.approx(0.95), pytest.approx(0.9)]


def test_a_run_without_critical_sharpness_is_refused(make_run: Make) -> None:
    with pytest.raises(BadInput, match=r"a: no critical sharpness .* sharpness.critical=true"):
        claims([edge_run(make_run, "a")])
