"""How far optimizers at the edge swing in each critical direction, beside what their central flows predict."""

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
from aeos.figures.flows.averages import mean_of, titled
from aeos.figures.flows.panels import SMOOTH
from aeos.figures.flows.readings import prediction
from aeos.results.read import Run

TABLES = ("predictions", "smoothed")

LEAST = 0.01  # of the predicted variance in all directions: with less in it a direction is left out
WITHIN = 0.2  # of the prediction: how far the variance may be from it
DIRECTIONS = ("largest", "second", "third", "fourth", "fifth", "sixth")


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """A column a run: variance in each direction, averaged over time; below, what it adds up to since the flow began.

    Raises BadInput as `directions` does.
    """
    figure = style.new(height=3.6)
    grid = figure.subplots(2, len(runs), squeeze=False, sharex="col")
    looks = style.sequential(range(max(len(directions(run)) for run in runs)))
    for run, (upper, lower) in zip(runs, grid.T, strict=True):
        upper.set_title(titled(run))
        for rows, look in zip(directions(run).values(), looks, strict=False):
            upper.plot(rows.index, rows["smoothed"], **look, **SMOOTH)
            upper.plot(rows.index, rows["predicted"], **style.THEORY)
            lower.plot(rows.index, rows["measured"].cumsum(), **look, **SMOOTH)
            lower.plot(rows.index, rows["predicted"].cumsum(), **style.THEORY)
        _logarithmic(upper, run)
        lower.set_ylim(bottom=0)
        lower.set_xlabel("step")
        style.steps_axis(lower)
    grid[0, 0].set_ylabel("variance")
    grid[1, 0].set_ylabel("variance added up")
    figure.align_ylabels()
    style.letters(grid.flat)
    entries = [Line2D([], [], **look, **SMOOTH, label=name) for name, look in zip(DIRECTIONS, looks, strict=False)]
    style.legend_below(figure, [*entries, Line2D([], [], **style.THEORY, label="predicted")])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The variance in all directions and in each of them is on average what the central flow predicts."""
    found = []
    for run in runs:
        start = f"{titled(run)}: " if len(runs) > 1 else ""
        found.append(mean_of(run, "variance", WITHIN, start))
        found += [mean_of(run, name, WITHIN, start, set_after=True) for name in directions(run)]
    return found


def directions(run: Run) -> dict[str, pd.DataFrame]:
    """variance[i] → its rows, as `prediction` has them, for the directions in which there is a variance predicted.

    Raises BadInput where there is none.
    """
    total = prediction(run, "variance")["predicted"].mean()
    quantities = run.table("predictions")["quantity"].unique()
    known = sorted((name for name in quantities if name.startswith("variance[")), key=lambda name: int(name[9:-1]))
    found = {name: prediction(run, name) for name in known}
    found = {name: rows for name, rows in found.items() if rows["predicted"].mean() >= LEAST * total > 0}
    if not found:
        raise BadInput(f"{run.name}: its central flow never oscillates; give a run at the edge of stability")
    return found


def _logarithmic(panel: Axes, run: Run) -> None:
    """So much of the axis as the averages take: where a direction leaves the edge, its prediction falls to zero."""
    smoothed = np.concatenate([rows["smoothed"] for rows in directions(run).values()])
    panel.set_yscale("log")
    panel.set_ylim(0.5 * smoothed.min(), 2 * smoothed.max())
