"""Squared gradients of single parameters under RMSprop and their average ν, beside what its flows make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.flows.panels import CENTRAL, RAW, SMOOTH
from aeos.figures.flows.readings import OPTIMIZER, called, look, optimizer
from aeos.figures.labels import one
from aeos.results.read import Run
from aeos.theory.average import gaussian_average

TABLES = ("coordinates",)

SHOWN = 3
UNIT = 1e-3  # of the axes of g² and ν
CUT = 6  # times its average: up to where a squared gradient is shown
STABLE = "stable_flow"
DOTS = {"marker": "o", "linestyle": "", "markersize": 2.2, "markeredgewidth": 0, "alpha": 0.6}


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Above, the three parameters that begin with the largest ν: squared gradient and ν of RMSprop and its flows.

    Below, all parameters that the run has kept: squared gradients on average over time, ν at the end, and by how much
    flows miss ν. Raises BadInput as `Parameters` does, and for several runs.
    """
    run = one(runs)
    kept = Parameters.of(run)
    nu = kept.second_moment
    figure = style.new(height=5.2)
    grid = figure.subplots(3, SHOWN)
    for index, upper, lower in zip(kept.largest, *grid[:2], strict=True):
        upper.set_title(f"parameter {index}")
        _squares(upper, run, kept, index)
        for process, width in ((optimizer(run), SMOOTH), (CENTRAL, {}), (STABLE, {})):
            lower.plot(nu[process].index, nu[process][index] / UNIT, **look(process), **width)
        lower.set_ylim(bottom=0)
        lower.set_xlabel("step")
        style.steps_axis(upper)
        style.steps_axis(lower)
        upper.sharex(lower)
        upper.tick_params(labelbottom=False)
    averages, ends, errors = grid[2]
    averages.plot(*kept.means.to_numpy().T, **DOTS, color=look(CENTRAL)["color"])
    for process in (STABLE, CENTRAL):
        ends.plot(nu[optimizer(run)].iloc[-1], nu[process].iloc[-1], **DOTS, color=look(process)["color"])
        missed = 100 * kept.misses(process)
        errors.plot(missed.index, missed, **look(process))
    _diagonal(averages, r"mean $g_i^2$ of RMSprop", r"mean $g_i^2$, predicted")
    _diagonal(ends, r"last $\nu_i$ of RMSprop", r"last $\nu_i$ of flows")
    errors.set(ylim=(0, 100), xlabel="step", ylabel=r"median error of $\nu_i$ (%)")
    style.steps_axis(errors)
    grid[0, 0].set_ylabel(r"$g_i^2\ (10^{-3})$")
    grid[1, 0].set_ylabel(r"$\nu_i\ (10^{-3})$")
    style.letters(grid.flat)
    entries = [
        Line2D([], [], **OPTIMIZER, **RAW | {"linewidth": 0.8}, label=called(optimizer(run))),
        Line2D([], [], **OPTIMIZER, **SMOOTH, label=r"averaged over time, its $\nu_i$"),
        Line2D([], [], **look(CENTRAL), label="central flow"),
        Line2D([], [], **look(STABLE), label=called(STABLE)),
        Line2D([], [], **style.THEORY, label="predicted; equal"),
    ]
    style.legend_below(figure, entries)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The central flow follows ν of all parameters and predicts their squared gradients; the stable flow does not."""
    kept = Parameters.of(one(runs))
    near, far = (float(kept.misses(name).mean()) for name in (CENTRAL, STABLE))
    ratio = kept.means["predicted"] / kept.means["measured"]
    middle, low, high = (float(ratio.quantile(q)) for q in (0.5, 0.05, 0.95))
    shown = (float(kept.second_moment[name][kept.largest].to_numpy().sum(1).mean()) for name in (CENTRAL, "rmsprop"))
    predicted, measured = shown
    of = f"of {len(ratio)} parameters"
    return [
        Claim(f"median error of ν {of}, central flow, mean over time", 0.12, near, 0.0, "at_most", "measured", True),
        Claim("the same over that of the stable flow", 0.2, near / far, 0.0, "at_most", "measured", True),
        Claim(
            f"mean over time of the {SHOWN} largest ν, added up", predicted, measured, 0.1, "relative", "derived", True
        ),
        Claim(f"mean g² predicted over measured, median {of}", 1.0, middle, 0.1, "absolute", "derived", True),
        Claim("the same, fifth percentile", 0.8, low, 0.0, "at_least", "derived", True),
        Claim("the same, 95th percentile", 1.2, high, 0.0, "at_most", "derived", True),
    ]


@dataclass(frozen=True)
class Parameters:
    """Of each parameter that a run has kept: process → a row a step, a column a parameter."""

    second_moment: dict[str, pd.DataFrame]
    squared_gradient: dict[str, pd.DataFrame]
    predicted_squared_gradient: dict[str, pd.DataFrame]

    @classmethod
    def of(cls, run: Run) -> Parameters:
        """Raises BadInput for an optimizer other than RMSprop and for a run that lacks one of the two flows."""
        rows = run.table("coordinates")
        if optimizer(run) != "rmsprop" or not {CENTRAL, STABLE} <= set(rows["process"]):
            raise BadInput(
                f"{run.name}: this figure needs flow-compare, optimizer=rmsprop, with stable and central flow"
            )
        each = [(str(name), part) for name, part in rows.groupby("process")]
        tables = (
            {name: part.pivot(index="step", columns="index", values=f.name) for name, part in each} for f in fields(cls)
        )
        return cls(*tables)

    @property
    def largest(self) -> list[int]:
        """The parameters with the largest ν where the flows begin."""
        return [int(index) for index in self.second_moment["rmsprop"].iloc[0].nlargest(SHOWN).index]

    @property
    def means(self) -> pd.DataFrame:
        """measured and predicted: g² of each parameter on average over the run but for its first step."""
        tables = {"measured": self.squared_gradient["rmsprop"], "predicted": self.predicted_squared_gradient[CENTRAL]}
        return pd.DataFrame({name: table.iloc[1:].mean() for name, table in tables.items()})

    def misses(self, process: str) -> pd.Series:
        """The median over parameters of |ν − ν of RMSprop|/ν of RMSprop, by step."""
        return (self.second_moment[process] / self.second_moment["rmsprop"] - 1).abs().median(axis=1)


def _squares(panel: Axes, run: Run, kept: Parameters, index: int) -> None:
    """Without the first prediction, where the flow comes down to the edge at once."""
    measured, predicted = kept.squared_gradient["rmsprop"][index], kept.predicted_squared_gradient[CENTRAL][index]
    smooth = gaussian_average(measured, run.config["smoothing"] / np.diff(measured.index).max())
    panel.plot(measured.index, measured / UNIT, **OPTIMIZER, **RAW)
    panel.plot(measured.index, smooth / UNIT, **OPTIMIZER, **SMOOTH)
    panel.plot(predicted.index[1:], predicted.iloc[1:] / UNIT, **style.THEORY)
    panel.set_ylim(0, CUT * smooth.max() / UNIT)


def _diagonal(panel: Axes, across: str, up: str) -> None:
    panel.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
    ends = [max(panel.get_xlim()[0], panel.get_ylim()[0]), min(panel.get_xlim()[1], panel.get_ylim()[1])]
    panel.plot(ends, ends, **style.THEORY)
