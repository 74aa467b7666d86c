"""Loss and squared gradient norm of optimizers at the edge: their averages over time, as central flows predict them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.lines import loss_axis
from aeos.figures.flows.panels import CENTRAL, RAW, SMOOTH, average
from aeos.figures.flows.readings import OPTIMIZER, called, look, metric, optimizer, prediction
from aeos.figures.labels import network
from aeos.results.read import Run

TABLES = ("metrics", "predictions", "smoothed")

NAMES = {"train_loss": "train loss", "squared_gradient": "squared gradient norm"}
OWN = 0.2  # of what the oscillation adds to the loss


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """A column a run: both quantities of the optimizer, raw and averaged, at its midpoints, along its central flow and
    as that predicts them. Raises BadInput where a run lacks midpoints or a central flow.
    """
    figure = style.new(height=3.4)
    grid = figure.subplots(2, len(runs), squeeze=False, sharex="col")
    for run, column in zip(runs, grid.T, strict=True):
        for (quantity, name), panel in zip(NAMES.items(), column, strict=True):
            average(panel, run, quantity, name)
            for process, width in (("midpoint", 1.6), (CENTRAL, 0.8)):
                values = along(run, process, quantity)
                panel.plot(values.index, values, **look(process), linewidth=width)
            loss_axis(panel)
            panel.set_ylabel(name if run is runs[0] else "")
            style.steps_axis(panel)
        column[0].set_title(titled(run))
        column[1].set_xlabel("step")
    figure.align_ylabels()
    style.letters(grid.flat)
    entries = [
        Line2D([], [], **OPTIMIZER, **RAW | {"linewidth": 0.8}, label="optimizer"),
        Line2D([], [], **OPTIMIZER, **SMOOTH, label="averaged over time"),
        Line2D([], [], **style.THEORY, label="predicted by the central flow"),
        Line2D([], [], **look("midpoint"), linewidth=1.6, label="at midpoints"),
        Line2D([], [], **look(CENTRAL), linewidth=0.8, label="along the central flow"),
    ]
    style.legend_below(figure, entries)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Means over time are as predicted, the part of the oscillation in the loss as well; midpoints have the flow's."""
    found = []
    for run in runs:
        start = f"{titled(run)}: " if len(runs) > 1 else ""
        found += [mean_of(run, "train_loss", 0.1, start), mean_of(run, "squared_gradient", 0.1, start, set_after=True)]
        rows = prediction(run, "train_loss")
        flow, midpoint = (
            float(along(run, name, "train_loss").loc[rows.index].mean()) for name in (CENTRAL, "midpoint")
        )
        predicted, measured = (float(rows[column].mean()) - flow for column in ("predicted", "measured"))
        text = f"{start}mean train loss less that along the central flow"
        found.append(Claim(text, predicted, measured, OWN, "relative", "derived", set_after=True))
        text = f"{start}mean train loss at midpoints, as along the central flow"
        found.append(Claim(text, flow, midpoint, 0.05, "relative", "derived", set_after=True))
    return found


def mean_of(run: Run, quantity: str, tolerance: float, start: str = "", *, set_after: bool = False) -> Claim:
    """The mean of the optimizer's over the run is what the central flow predicts, the first step left out."""
    means = prediction(run, quantity)[["predicted", "measured"]].mean()
    text = f"{start}mean {NAMES.get(quantity, quantity)} after the first step"
    predicted, measured = float(means["predicted"]), float(means["measured"])
    return Claim(text, predicted, measured, tolerance, "relative", "derived", set_after=set_after)


def titled(run: Run) -> str:
    """GD, MLP: the optimizer and what it trains."""
    name = optimizer(run)
    return f"{'GD' if name == 'gd' else called(name)}, {network(run)}"


def along(run: Run, process: str, quantity: str) -> pd.Series:
    """The quantity at the process' own points, by step."""
    if quantity == "train_loss":
        return metric(run, process)
    return metric(run, process, "grad_norm") ** 2
