"""Batch sharpness, the curvature that minibatch gradients meet, beside that of the full batch, by batch size."""

from __future__ import annotations

import math
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
from aeos.figures.edge.batch_sizes import batch_size, sizes_axis
from aeos.figures.edge.readings import measured, step_axis
from aeos.results.read import Run

TABLES = ("sharpness",)
BLOCKS = 10
NEAR = 0.1
FIRST = 0.4  # the step size tried first; others were added with their numbers in sight


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Batch sharpness over the threshold against the step, a panel a step size; then late means by batch size."""
    groups = by_step_size(runs)
    sizes = sorted({batch_size(run) for run in runs})
    look = dict(zip(sizes, style.sequential(sizes), strict=True))
    figure = style.new(height=2.1)
    panels = list(figure.subplots(1, len(groups) + 1, sharey=True))
    for panel, (lr, group) in zip(panels, groups.items(), strict=False):
        for run in group:
            rows, own = in_thresholds(run), look[batch_size(run)]
            value, error = rows["batch_sharpness"], rows["batch_sharpness_error"]
            panel.plot(rows["step"], value, **own, linewidth=0.8)
            panel.fill_between(rows["step"], value - error, value + error, color=own["color"], alpha=0.3, linewidth=0)
        panel.set_title(rf"$\eta = {lr:g}$")
        step_axis(panel)
    for panel in panels:
        panel.axhline(1, **style.THEORY)
    panels[0].set_ylabel("sharpness / threshold")
    panels[0].set_ylim(bottom=0)
    means = _late_means(panels[-1], groups)
    style.letters(panels)
    handles = [Line2D([], [], **look[size], label=f"batch size {size}") for size in sizes]
    style.legend_below(figure, [*handles, Line2D([], [], **style.THEORY, label="threshold"), *means])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Late batch sharpness at the threshold, to 10 % or four standard errors; above λ₁ where the batch is smallest."""
    found = []
    for lr, group in by_step_size(runs).items():
        for run in group:
            mean, error = late_mean(run, "batch_sharpness")
            text = (
                f"η = {lr:g}, batch size {batch_size(run)}: late batch sharpness/threshold (standard error {error:.1g})"
            )
            found.append(Claim(text, 1.0, mean, max(NEAR, 4 * error), "absolute", set_after=lr != FIRST))
        (mean, error), (full, its) = (late_mean(group[0], column) for column in ("batch_sharpness", "ratio"))
        text = f"η = {lr:g}, batch size {batch_size(group[0])}: late full-batch sharpness, at most batch sharpness"
        found.append(Claim(text, mean, full, 4 * math.hypot(error, its), "at_most", set_after=lr != FIRST))
    return found


def by_step_size(runs: Sequence[Run]) -> dict[float, list[Run]]:
    """The runs of each step size, smallest batch first."""
    rates = sorted({float(run.config["optimizer"]["lr"]) for run in runs})
    return {lr: sorted((run for run in runs if run.config["optimizer"]["lr"] == lr), key=batch_size) for lr in rates}


def in_thresholds(run: Run) -> pd.DataFrame:
    """The measurements with batch sharpness and its error in units of the threshold. Raises BadInput without any."""
    rows = measured(run)
    rows = rows[np.isfinite(rows["batch_sharpness"])].reset_index(drop=True)
    if rows.empty:
        raise BadInput(f"{run.name}: no batch sharpness was measured; start it again with sharpness.batches=16")
    columns = ["batch_sharpness", "batch_sharpness_error"]
    rows[columns] = rows[columns].div(rows["threshold"], axis=0)
    return rows


def late_mean(run: Run, column: str) -> tuple[float, float]:
    """Mean over the last half and its standard error."""
    late = in_thresholds(run)[column].to_numpy()
    late = late[len(late) // 2 :]
    return float(late.mean()), block_error(late)


def block_error(values: np.ndarray) -> float:
    """Standard error of the mean of values (n,) in time, from the means of ten blocks: values in a row depend."""
    blocks = [block.mean() for block in np.array_split(values, min(BLOCKS, len(values)))]
    return float(np.std(blocks, ddof=1)) / math.sqrt(len(blocks)) if len(blocks) > 1 else math.nan


def _late_means(panel: Axes, groups: dict[float, list[Run]]) -> list[Line2D]:
    """Filled circles for batch sharpness, open squares for λ₁; bars of four standard errors. Returns what they mean."""
    looks = style.categorical(len(groups) + 2)[2:]
    forms: dict[str, dict[str, Any]] = {
        "batch_sharpness": {"marker": "o"},
        "ratio": {"marker": "s", "markerfacecolor": "white", "linestyle": ":"},
    }
    for look, group in zip(looks, groups.values(), strict=True):
        sizes = [batch_size(run) for run in group]
        for column, form in forms.items():
            means, errors = zip(*(late_mean(run, column) for run in group), strict=True)
            style_of = look | {"linewidth": 0.9, "markeredgewidth": 0.9} | form
            panel.errorbar(sizes, means, 4 * np.array(errors), **style_of)
    panel.set_title("late means")
    sizes_axis(panel, [batch_size(run) for group in groups.values() for run in group])
    named = [*forms.values()]
    return [
        Line2D([], [], color="0.3", **named[0], label="batch sharpness"),
        Line2D([], [], color="0.3", **named[1], label="full-batch sharpness"),
        *(Line2D([], [], **look, label=rf"$\eta = {lr:g}$") for look, lr in zip(looks, groups, strict=True)),
    ]
