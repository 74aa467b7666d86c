"""An optimizer, what it would be with steps of no length, and its central flow, from one start on one clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.flows.averages import mean_of
from aeos.figures.flows.panels import CENTRAL, average, distances, entries, losses, spectrum
from aeos.figures.flows.readings import called, criticality, distance, limit, optimizer
from aeos.results.read import Run

TABLES = ("metrics", "distances", "eigenvalues", "predictions", "smoothed")

LAST = 50  # observed steps at the end
#: The central flow's distance from the optimizer over the other flow's, at most, and over how many of the last steps
#: both are averaged. Set before these runs, after others of the same settings; for scalar RMSprop after its own.
SHARE = {"gd": (0.4, LAST), "rmsprop": (0.2, 1), "scalar_rmsprop": (0.2, 1)}


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """One run: distances, eigenvalues, loss and variance. Several: a row each, of its loss, eigenvalues, distances.

    Raises BadInput where a run lacks midpoints, a flow without oscillation or a central flow.
    """
    grid = _one(runs[0]) if len(runs) == 1 else _rows(runs)
    figure: Any = grid[0, 0].figure
    for panel in grid.flat:
        style.steps_axis(panel)
    for panel in grid[-1]:
        panel.set_xlabel("step")
    figure.align_ylabels()
    style.letters(grid.flat)
    style.legend_below(figure, entries(runs))
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The central flow stays near, at the edge, and says what loss and variance are on average; the other leaves."""
    return [claim for run in runs for claim in _claims(run, f"{called(optimizer(run))}: " if len(runs) > 1 else "")]


def _claims(run: Run, start: str) -> list[Claim]:
    name, other = optimizer(run), limit(run)
    near, far = (distance(run, process, name)[-LAST:] for process in (CENTRAL, other))
    most, over = SHARE[name]
    share = float(near[-over:].mean() / far[-over:].mean())
    when = f"mean of the last {over} steps" if over > 1 else "at the end"
    locked = criticality(run, CENTRAL)[1:]
    worst = float(locked.iloc[np.abs(locked - 1).argmax()])
    found = [
        Claim(
            f"{start}distance of the central flow over that of {called(other)}, {when}",
            most, share, 0.0, "at_most", "measured", name == "scalar_rmsprop",
        ),
        Claim(
            f"{start}growth of the distance of {called(other)} per step, last {LAST} steps",
            0.0, float(np.polyfit(far.index, far, 1)[0]), 0.0, "at_least", "derived",
        ),
        Claim(f"{start}largest eigenvalue over threshold, where it is farthest from 1", 1.0, worst, 1e-3, "absolute"),
    ]  # fmt: skip
    return [*found, mean_of(run, "train_loss", 0.1, start), mean_of(run, "variance", 0.2, start)]


def _one(run: Run) -> np.ndarray:
    grid = style.new(height=3.5).subplots(2, 2, sharex=True)
    distances(grid[0, 0], run)
    spectrum(grid[0, 1], run)
    losses(grid[1, 0], run)
    average(grid[1, 1], run, "variance", "variance of the oscillation")
    return grid


def _rows(runs: Sequence[Run]) -> np.ndarray:
    grid = style.new(height=0.2 + 1.6 * len(runs)).subplots(len(runs), 3, squeeze=False)
    for run, panels in zip(runs, grid, strict=True):
        row: list[Axes] = list(panels)
        losses(row[0], run)
        spectrum(row[1], run)
        distances(row[2], run)
        row[1].set_title(called(optimizer(run)))
    return grid
