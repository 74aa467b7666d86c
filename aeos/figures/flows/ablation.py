"""What the third derivative does for RMSprop: its central flow with and without implicit regularization."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.flows.averages import mean_of
from aeos.figures.flows.panels import CENTRAL, SMOOTH
from aeos.figures.flows.readings import (
    OPTIMIZER,
    called,
    criticality,
    distance,
    eigenvalue,
    look,
    optimizer,
    prediction,
)
from aeos.figures.labels import one
from aeos.results.read import Run

TABLES = ("distances", "eigenvalues", "metrics", "predictions", "smoothed")

ABLATED, STABLE, SQUARES = "ablated_flow", "stable_flow", "squared_gradient"
CALLED = {
    ABLATED: "without implicit regularization",
    CENTRAL: "central flow",
    STABLE: "stable flow",
    "midpoint": "midpoints",
}


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Preconditioned and raw sharpness, distance from the midpoints, and the squared gradient norm predicted.

    Raises BadInput where the run lacks a flow, and for several runs.
    """
    run = one(runs)
    figure = style.new(height=3.5)
    grid = figure.subplots(2, 2, sharex=True)
    locked, raw, apart, squares = grid.flat
    for process in (STABLE, ABLATED, "midpoint", CENTRAL):
        lines = {raw: sharpness(run, process), locked: criticality(run, process)}
        if process in (ABLATED, CENTRAL):
            lines |= {
                apart: distance(run, process, "midpoint"),
                squares: prediction(run, SQUARES, process)["predicted"],
            }
        for panel, values in lines.items():
            panel.plot(
                values.index, values, **look(process), linewidth=2.4 if (panel, process) == (locked, ABLATED) else 1.1
            )
    smoothed = prediction(run, SQUARES)["smoothed"]
    squares.plot(smoothed.index, smoothed, **OPTIMIZER, **SMOOTH, zorder=1)
    locked.axhline(1, **style.THEORY)
    locked.set_ylim(0.9, 1.25)  # the stable flow leaves it within some steps
    apart.set_ylim(bottom=0)
    names = (r"$\lambda_1(P^{-1}H) \cdot \eta/2$", r"$\lambda_1(H)$", "rms distance from midpoints")
    for panel, name in zip(grid.flat, (*names, "squared gradient norm"), strict=True):
        panel.set_ylabel(name)
        style.steps_axis(panel)
    for panel in grid[1]:
        panel.set_xlabel("step")
    figure.align_ylabels()
    style.letters(grid.flat)
    entries = [Line2D([], [], **look(name), label=CALLED[name]) for name in ("midpoint", CENTRAL, ABLATED, STABLE)]
    averaged = Line2D([], [], **OPTIMIZER, **SMOOTH, label=f"{called(optimizer(run))}, averaged over time")
    style.legend_below(figure, [averaged, *entries, Line2D([], [], **style.THEORY, label="threshold")])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Both flows stay at the edge; without the term, only at a sharper and a farther place, with larger gradients."""
    run = one(runs)
    ends = {name: float(sharpness(run, name).iloc[-1]) for name in (CENTRAL, ABLATED, "midpoint")}
    gone = {name: float(distance(run, name, "midpoint").iloc[-1]) for name in (CENTRAL, ABLATED)}
    found = [
        Claim(
            f"{CALLED[name]}: largest |preconditioned sharpness/threshold − 1| after the first step", 0.0,
            float((criticality(run, name).iloc[1:] - 1).abs().max()), 1e-3, "absolute", "derived",
        )
        for name in (CENTRAL, ABLATED)
    ]  # fmt: skip
    sharp, away = ends[ABLATED] / ends[CENTRAL], gone[ABLATED] / gone[CENTRAL]
    found += [
        Claim("sharpness at the end: central flow's as the midpoint's", ends["midpoint"], ends[CENTRAL], 0.02,
              origin="measured", set_after=True),
        Claim("the same without the term, over the central flow's", 1.05, sharp, 0.0, "at_least", "measured", True),
        Claim("distance from the midpoints at the end, the same", 3.0, away, 0.0, "at_least", "measured", True),
        mean_of(run, SQUARES, 0.1, set_after=True),
    ]  # fmt: skip
    means = prediction(run, SQUARES, ABLATED)[["predicted", "measured"]].mean()
    text = "mean squared gradient norm predicted without the term, over that measured"
    more = float(means["predicted"] / means["measured"])
    return [*found, Claim(text, 1.1, more, 0.0, "at_least", "measured", True)]


def sharpness(run: Run, process: str) -> pd.Series:
    """λ₁ of the Hessian, whatever preconditions, by step. Raises BadInput where none was measured."""
    return eigenvalue(run, process, "hessian")
