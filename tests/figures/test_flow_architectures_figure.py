"""Would catch: a network in another's row, a distance from the optimizer instead of its midpoints, claims that hold for
a central flow as far away as gradient flow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_runs import Make
from flow_runs import AVERAGES, RATIO, Path, beside_run, swing

from aeos.figures.flows.architectures import LAST, UNIT, claims, draw
from aeos.figures.flows.readings import look
from aeos.figures.labels import labels
from aeos.results.read import Run

T = np.arange(101)
AWAY: dict[str, Path] = {
    "gd": lambda t: 0.01 * swing(t),
    "gradient_flow": lambda t: 1e-3 * t,
    "central_flow": lambda t: 2e-4 * t,
}


def network_run(make: Make, model: str, away: Any = None, **settings: Any) -> Run:
    """`away`: distances from the midpoints."""
    run = beside_run(make, model, model={"name": model}, **settings)
    rows = [
        pd.DataFrame({"step": 300 + T, "process": p, "reference": "midpoint", "distance": f(T)})
        for p, f in (AWAY | (away or {})).items()
    ]
    pd.concat([run.table("distances"), *rows]).to_csv(run.path / "distances.csv", index=False)
    return run


def test_a_row_a_network(make_run: Make) -> None:
    runs = [network_run(make_run, "cnn"), network_run(make_run, "mamba", away={"central_flow": lambda t: 3e-4 * t})]
    figure = draw(runs, labels(runs))
    assert [panel.get_ylabel() for panel in figure.axes[::3]] == ["CNN", "Mamba"]
    for panel, slope in zip(figure.axes[2::3], (2e-4, 3e-4), strict=True):
        lines = {line.get_color(): UNIT * line.get_ydata() for line in panel.lines}
        np.testing.assert_allclose(lines[look("central_flow")["color"]], slope * T)
        np.testing.assert_allclose(lines[look("gradient_flow")["color"]], AWAY["gradient_flow"](T))
        np.testing.assert_allclose(lines[look("gd")["color"]], AWAY["gd"](T))
    assert all(panel.get_ylim()[1] <= 1.6 for panel in figure.axes[1::3])


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, []),
        ({"away": {"central_flow": lambda t: np.where(t > 100 - LAST, 4.1e-4, 0) * t}}, [0]),
        ({"away": {"central_flow": lambda t: np.where(t > 100 - LAST, 3.9e-4, 2e-3) * t}}, []),
        ({"ratio": RATIO | {"central_flow": lambda t: np.where(t == 50, 1.0011, 1.0)}}, [1]),
        ({"averages": AVERAGES | {"train_loss": (lambda t: 1.1 + 0 * t, lambda t: 0.98 + 0 * t)}}, [2]),
        ({"averages": AVERAGES | {"variance": (lambda t: 1.0 + 0 * t, lambda t: 0.79 * swing(t))}}, [3]),
    ],
)
def test_claims_part_near_from_far(make_run: Make, change: Any, wrong: list[int]) -> None:
    found = claims([network_run(make_run, "mlp"), network_run(make_run, "lstm", **change)])
    assert [place - 4 for place, claim in enumerate(found) if claim.verdict == "FAIL"] == wrong
    assert [claim.text.partition(":")[0] for claim in found[::4]] == ["MLP", "LSTM"]
