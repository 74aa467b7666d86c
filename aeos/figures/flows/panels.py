"""Panels of one run of `aeos flow-compare` that its figures repeat: distances, critical eigenvalues, averages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.figures.flows.readings import (
    OPTIMIZER,
    called,
    criticality,
    distance,
    limit,
    look,
    metric,
    optimizer,
    prediction,
)
from aeos.results.read import Run

RAW: dict[str, Any] = {"linewidth": 0.4, "alpha": 0.35}  # what oscillates, under its average
SMOOTH: dict[str, Any] = {
    "linewidth": 2.2,
    "alpha": 0.6,
    "solid_capstyle": "round",
}  # under the dashes of what is predicted
CENTRAL = "central_flow"


def distances(panel: Axes, run: Run) -> None:
    """How far the run's flows, and its midpoints, are from the optimizer: rms over the parameters."""
    for process in (limit(run), "midpoint", CENTRAL):
        apart = distance(run, process, optimizer(run))
        panel.plot(apart.index, apart, **look(process))
    panel.set_ylim(bottom=0)
    panel.set_ylabel("rms distance")


def spectrum(panel: Axes, run: Run, top: int = 2) -> None:
    """The largest eigenvalues over their threshold, along the midpoints and the flows; thinner those that follow."""
    for process in (limit(run), "midpoint", CENTRAL):
        for index in range(top, 0, -1):
            values = criticality(run, process, index)
            panel.plot(values.index, values, **look(process), linewidth=1.1 if index == 1 else 0.6)
    panel.axhline(1, **style.THEORY)
    panel.set_ylabel("eigenvalues / threshold")


def average(panel: Axes, run: Run, quantity: str, name: str) -> None:
    """A quantity of the optimizer, raw and averaged over time, and its central flow's prediction."""
    rows = prediction(run, quantity)
    panel.plot(rows.index, rows["measured"], **OPTIMIZER, **RAW)
    panel.plot(rows.index, rows["smoothed"], **OPTIMIZER, **SMOOTH)
    panel.plot(rows.index, rows["predicted"], **style.THEORY)
    panel.set_ylabel(name)


def losses(panel: Axes, run: Run) -> None:
    """The train loss as `average` shows it, and that along the flows themselves."""
    average(panel, run, "train_loss", "train loss")
    for process in (limit(run), CENTRAL):
        loss = metric(run, process)
        panel.plot(loss.index, loss, **look(process), linewidth=0.8)


def entries(runs: Sequence[Run]) -> list[Line2D]:
    """Of a legend for all of these panels."""
    first, *others = dict.fromkeys(called(optimizer(run)) for run in runs)
    limits = dict.fromkeys(called(limit(run)) for run in runs)
    return [
        Line2D([], [], **OPTIMIZER, **RAW | {"linewidth": 0.8}, label="optimizer" if others else first),
        Line2D([], [], **OPTIMIZER, **SMOOTH, label="averaged over time"),
        Line2D([], [], **look("midpoint"), label="midpoints"),
        Line2D([], [], **look(limit(runs[0])), label=", ".join(limits)),
        Line2D([], [], **look(CENTRAL), label="central flow"),
        Line2D([], [], **style.THEORY, label="what it predicts; threshold"),
    ]
