"""AdamW and RMSpropW beside their SDEs in the plane: where they go on a quadratic and on a saddle, and at what loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.sde.levels import loss
from aeos.figures.sde.new_prior import lowest
from aeos.figures.sde.readings import LOSS, called, processes
from aeos.figures.sde.walks import series
from aeos.results.read import Run

TABLES = ("moments",)

WIDE: dict[str, Any] = {"alpha": 0.55, "solid_capstyle": "round"}
BROAD, SLIM = 4.2, 1.9  # the first optimizer's line, and that of the next, which lies upon it
LEVELS = 20
ABOVE = 10  # times its stationary level is where a mean loss on a quadratic is no longer held against the SDE's


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """A row a problem: mean paths in the plane; mean loss above the minimum; how far an SDE's is off.

    Raises BadInput where a problem has not two coordinates.
    """
    groups = by_problem(runs)
    names = list(dict.fromkeys(called(run) for run in runs))
    colours = zip(names, style.categorical(len(names)), strict=True)
    looks = {name: look | {"linewidth": SLIM if i else BROAD} for i, (name, look) in enumerate(colours)}
    figure = style.new(height=1.9 * len(groups))
    panels = figure.subplots(len(groups), 3, squeeze=False)
    for row, (problem, group) in zip(panels, groups.items(), strict=True):
        _contours(row[0], group)
        for run in group:
            _plane(row[0], run, looks[called(run)])
            _losses(row[1], row[2], run, looks[called(run)])
        row[0].set_title(problem)
        row[1].set(yscale="log", ylabel=r"$\mathrm{E} f - f_*$")
        row[2].set_ylabel("SDE / optimizer $-$ 1, %")
        for panel in row[1:]:
            style.steps_axis(panel)
    for panel in panels[-1, 1:]:
        panel.set_xlabel("step")
    style.letters(panels.flat)
    entries = [Line2D([], [], **looks[name], **WIDE, label=name) for name in names]
    style.legend_below(figure, [*entries, Line2D([], [], **style.THEORY, label="its SDE")])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Mean losses agree within 2 % on the quadratic, within 1 % of their range on the saddle; mean parameters too."""
    found = []
    for problem, group in by_problem(runs).items():
        for run in group:
            apart, name = gaps(run, LOSS), f"{called(run)}, {problem}"
            if problem == "quadratic":
                apart = apart[apart["mean_real"] > ABOVE * loss(run, "paper")]
                miss = float((apart["gap"].abs() / apart["mean_real"]).max())
                text = f"{name}: worst relative error of E f until {ABOVE} times its stationary level"
                found.append(Claim(text, 0.0, miss, 0.02, "at_most", "derived"))
            else:
                share = float(apart["gap"].abs().max() / np.ptp(apart["mean_real"]))
                text = f"{name}: worst error of E f over its range"
                found.append(Claim(text, 0.0, share, 0.01, "at_most", "derived"))
            miss = max(float(gaps(run, f"theta[{i}]")["gap"].abs().max()) for i in (0, 1))
            found.append(Claim(f"{name}: worst error of E θᵢ", 0.0, miss, 0.01, "at_most", "derived"))
    return found


def by_problem(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Raises BadInput where θ has not two entries."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        problem = run.config["problem"]
        if len(problem.get("spectrum", ())) != 2:
            raise BadInput(f"{run.name}: this figure is a plane: give runs of problems with two eigenvalues")
        found.setdefault(problem["name"], []).append(run)
    return dict(sorted(found.items()))


def gaps(run: Run, quantity: str, model: str | None = None) -> pd.DataFrame:
    """step, mean_real, gap, error: the first SDE's mean, or that of `model`, beside the optimizer's."""
    optimizer, *models = processes(run)
    both = series(run, model or models[0], quantity).merge(
        series(run, optimizer, quantity), on="step", suffixes=("", "_real")
    )
    both["gap"] = both["mean"] - both["mean_real"]
    both["error"] = np.hypot(both["error"], both["error_real"])
    return both[["step", "mean_real", "gap", "error"]]


def _contours(panel: Axes, group: Sequence[Run]) -> None:
    problem = group[0].config["problem"]
    spans = []
    for i in (0, 1):
        values = pd.concat([series(run, processes(run)[0], f"theta[{i}]")["mean"] for run in group])
        low, high = min(values.min(), 0.0), values.max()
        spans.append(np.linspace(low - 0.06 * (high - low), high + 0.06 * (high - low), 120))
    x = np.stack(np.meshgrid(*spans), axis=-1)
    f = np.sum(np.asarray(problem["spectrum"]) / 2 * x**2, axis=-1)
    if problem["name"] == "saddle":
        f += np.sum(problem["quartic"] / 4 * x**4 - problem["cubic"] / 3 * x**3, axis=-1)
    heights = lowest(problem) + np.geomspace(1e-3, 1, LEVELS) * (f.max() - lowest(problem))
    panel.contour(*spans, f, heights, colors="0.85", linewidths=0.5, linestyles="-")
    panel.set(xlabel="$x_1$", ylabel="$x_2$")


def _plane(panel: Axes, run: Run, look: dict[str, Any]) -> None:
    for process, how in zip(processes(run), (look | WIDE, style.THEORY), strict=False):
        panel.plot(*(series(run, process, f"theta[{i}]")["mean"] for i in (0, 1)), **how)


def _losses(middle: Axes, right: Axes, run: Run, look: dict[str, Any]) -> None:
    least, apart = lowest(run.config["problem"]), gaps(run, LOSS)
    for process, how in zip(processes(run), (look | WIDE, style.THEORY), strict=False):
        rows = series(run, process, LOSS)
        middle.plot(rows["step"], rows["mean"] - least, **how)
    percent = 100 / (apart["mean_real"] - least)
    gap, error = percent * apart["gap"], percent * apart["error"]
    right.axhline(0, color="0.7", linewidth=0.5)
    right.plot(apart["step"], gap, color=look["color"], linewidth=0.9)
    right.fill_between(apart["step"], gap - 2 * error, gap + 2 * error, color=look["color"], alpha=0.2, linewidth=0)
