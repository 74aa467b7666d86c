"""Would catch: an edge found too late, a difference taken after it, claims that pass where gradient flow stops too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figure_runs import Make
from flow_runs import beside_run

from aeos.errors import BadInput
from aeos.figures.flows.gradient_flow import claims, crossing, draw, sharpness
from aeos.figures.labels import labels
from aeos.results.read import Run

#: Both rise together to the edge at step 50; gradient flow goes on.
DESCENT = lambda t: np.minimum(0.5 + t / 100, 1.0)  # noqa: E731
FLOW = lambda t: 0.5 + t / 100 + 0.02 * (t < 50)  # noqa: E731


def rising_run(make: Make, name: str = "a", descent: Any = DESCENT, flow: Any = FLOW, width: int = 32) -> Run:
    ratio = {"midpoint": descent, "limit": flow}
    return beside_run(make, name, start=0, ratio=ratio, model={"name": "mlp", "width": width})


def test_the_edge_is_where_the_optimizer_comes_to_it(make_run: Make) -> None:
    run = rising_run(make_run)
    assert crossing(run) == 50
    assert list(sharpness(run).columns) == ["gd", "gradient_flow"]
    assert crossing(rising_run(make_run, "b", flow=lambda t: 2.0 + 0 * t)) == 50


def test_a_column_for_each_run(make_run: Make) -> None:
    runs = [rising_run(make_run, "a", width=32), rising_run(make_run, "b", width=64)]
    figure = draw(runs, labels(runs))
    assert [panel.get_title() for panel in figure.axes[:2]] == ["width=32", "width=64"]
    flow, descent, edge = figure.axes[0].lines
    np.testing.assert_allclose(flow.get_ydata(), FLOW(np.arange(101)))
    np.testing.assert_allclose(descent.get_ydata(), DESCENT(np.arange(101)))
    assert set(edge.get_ydata()) == {1}
    assert figure.axes[2].get_yscale() == "log"
    assert [len(panel.lines) for panel in figure.axes] == [3, 3, 2, 2]


def test_flows_that_part_at_the_edge_fulfil_the_claims(make_run: Make) -> None:
    runs = [rising_run(make_run, "a", width=32), rising_run(make_run, "b", width=64)]
    found = claims(runs)
    assert [claim.verdict for claim in found] == ["PASS"] * 4
    assert found[0].measured == pytest.approx(0.04)
    assert found[1].measured == pytest.approx(1.5)
    assert [claim.text.partition(":")[0] for claim in found] == ["width 32", "width 32", "width 64", "width 64"]


@pytest.mark.parametrize(
    ("flow", "failed"),
    [
        (lambda t: FLOW(t) * np.where(t == 10, 1.06, 1), [0]),
        (lambda t: FLOW(t) * np.where(t == 10, 0.9, 1), [0]),
        (lambda t: np.minimum(FLOW(t), 1.14), [1]),
    ],
)
def test_a_flow_that_parts_too_early_or_stops_fails(make_run: Make, flow: Any, failed: list[int]) -> None:
    found = claims([rising_run(make_run, flow=flow)])
    assert [place for place, claim in enumerate(found) if claim.verdict == "FAIL"] == failed


def test_a_run_that_never_comes_to_the_edge_is_explained(make_run: Make) -> None:
    for name, descent in (("a", lambda t: 0.5 + 0 * t), ("b", lambda t: 1.1 + 0 * t)):
        with pytest.raises(BadInput, match=f"{name}: does not come to the edge from below; take more steps"):
            claims([rising_run(make_run, name, descent=descent)])
