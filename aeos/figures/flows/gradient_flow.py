"""Gradient descent beside gradient flow: the sharpness of the one stops at 2/η, that of the other goes on rising."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.lines import loss_axis
from aeos.figures.flows.readings import called, criticality, look, metric
from aeos.results.read import Run

TABLES = ("metrics", "eigenvalues")

FLOW, DESCENT = "gradient_flow", "gd"


def sharpness(run: Run) -> pd.DataFrame:
    """λ₁ over 2/η by step, of gradient descent (`gd`, at its midpoints) and of gradient flow, where both have it."""
    columns = {DESCENT: criticality(run, "midpoint"), FLOW: criticality(run, FLOW)}
    return pd.DataFrame(columns).dropna()


def crossing(run: Run) -> int:
    """The first measured step at which gradient descent is at or above 2/η. Raises BadInput where there is none."""
    values = sharpness(run)[DESCENT]
    above = values.index[values >= 1]
    if not len(above) or above[0] == values.index[0]:
        raise BadInput(f"{run.name}: does not come to the edge from below; take more steps, or another learning rate")
    return int(above[0])


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """A column for each run: sharpness over 2/η, and train loss; grey from where gradient descent has come to the edge.

    Raises BadInput as `crossing` does.
    """
    figure = style.new(height=3.3)
    grid = figure.subplots(2, len(runs), squeeze=False, sharex="col", sharey="row")
    for run, label, (top, bottom) in zip(runs, labels, grid.T, strict=True):
        values, width = sharpness(run), {"linewidth": 1.1}
        for process in (FLOW, DESCENT):
            top.plot(values.index, values[process], **look(process), **width)
            loss = metric(run, process)
            bottom.plot(loss.index, loss, **look(process), **width)
        top.axhline(1, **style.THEORY)
        for panel in (top, bottom):
            _shade(panel, crossing(run), values.index[-1])
            style.steps_axis(panel)
        if len(runs) > 1:
            top.set_title(label)
        bottom.set_xlabel("step")
    grid[0, 0].set_ylabel(r"sharpness / $(2/\eta)$")
    loss_axis(grid[1, 0])
    figure.align_ylabels()
    style.letters(grid.flat)
    lines = [Line2D([], [], **look(process), label=called(process)) for process in (DESCENT, FLOW)]
    style.legend_below(figure, [*lines, Line2D([], [], **style.THEORY, label=r"$2/\eta$")])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Until the edge the sharpness of the two is nearly one; in the end that of gradient flow is well above."""
    found = []
    for run in runs:
        values, edge = sharpness(run), crossing(run)
        before = values[values.index < edge]
        apart = float(np.abs(before[FLOW] / before[DESCENT] - 1).max())
        start = f"width {run.config['model']['width']}: " if run.config.get("model") else ""
        text = f"{start}largest |λ₁ of gradient flow/λ₁ of gradient descent − 1| before step {edge}, when it is at 2/η"
        found.append(Claim(text, 0.0, apart, 0.05, "absolute", "measured"))
        text = f"{start}λ₁ of gradient flow over that of gradient descent at the end"
        end = float(values[FLOW].iloc[-1] / values[DESCENT].iloc[-1])
        found.append(Claim(text, 1.15, end, 0.0, "at_least", "measured"))
    return found


def _shade(panel: Axes, begin: float, end: float) -> None:
    panel.axvspan(begin, end, color="0.94", linewidth=0, zorder=0)
