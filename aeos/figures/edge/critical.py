"""Sharpness from forward passes alone beside the Hessian's: λ_c along the update is at most λ₁, at the edge near it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.readings import measured, ratio_axis, standing, step_axis
from aeos.figures.labels import labels as label
from aeos.results.read import Run

TABLES = ("sharpness",)
HESSIAN, CRITICAL = ({"color": colour} for colour in style.COLOURS[:2])


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """λ₁ and λ_c over the threshold against the step, one panel a run; last, λ_c/λ₁ of all runs."""
    figure = style.new(height=2.0)
    panels = list(figure.subplots(1, len(runs) + 1, squeeze=False).flat)
    looks = style.categorical(len(runs) + 2)[2:]
    for panel, run, name, look in zip(panels, runs, labels, looks, strict=False):
        rows = critical(run)
        panel.plot(rows["step"], rows["ratio"], **HESSIAN)
        panel.plot(rows["step"], rows["critical_sharpness"] / rows["threshold"], **CRITICAL, linewidth=0.8)
        ratio_axis(panel, runs)
        panel.set_title(name)
        panels[-1].plot(rows["step"], rows["critical_sharpness"] / rows["preconditioned_sharpness"], **look)
    for panel in panels[1:-1]:
        panel.set_ylabel("")
    panels[-1].set_ylabel(r"$\lambda_c/\lambda_1$")
    panels[-1].set_ylim(0, 1.1)
    step_axis(panels[-1])
    style.letters(panels)
    entries = [
        (HESSIAN, r"Hessian, $\lambda_1$"),
        (CRITICAL, r"critical, $\lambda_c$"),
        (style.THEORY, "threshold"),
        *((look, rf"$\lambda_c/\lambda_1$, {name}") for look, name in zip(looks, labels, strict=True)),
    ]
    style.legend_below(figure, [Line2D([], [], **look, label=name) for look, name in entries])
    return figure


def critical(run: Run) -> pd.DataFrame:
    """The rows with a critical sharpness. Raises BadInput where there are none."""
    rows = measured(run)
    rows = rows[np.isfinite(rows["critical_sharpness"])]
    if rows.empty:
        raise BadInput(f"{run.name}: no critical sharpness was measured; start it again with sharpness.critical=true")
    return rows


def claims(runs: Sequence[Run]) -> list[Claim]:
    """λ_c ≤ λ₁, as for any quadratic; near it over the last half of a run at the edge; fewer than ten losses each."""
    found = []
    for run, name in zip(runs, label(runs), strict=True):
        rows = critical(run)
        share = rows["critical_sharpness"] / rows["preconditioned_sharpness"]
        late, warm = share.iloc[len(share) // 2 :].median(), rows["passes"].iloc[1:]
        text = f"{name}: critical/Hessian sharpness"
        found.append(Claim(f"{text}, largest", 1.0, share.max(), 0.05, "at_most", "derived", set_after=True))
        if standing(run).reached:
            found.append(Claim(f"{text}, median at the edge", 1.0, late, 0.15, "at_least", "derived", set_after=True))
        found.append(Claim(f"{name}: losses a measurement, warm start, mean", 10.0, warm.mean(), 0.0, "at_most"))
    return found
