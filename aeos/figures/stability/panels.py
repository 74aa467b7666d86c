"""Panels that figures of a stability sweep share, and how a stability coefficient looks in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from aeos.figures import style
from aeos.figures.stability.readings import Paths, chosen, fitted, keys
from aeos.figures.stability.region import BOUNDARY, LEVEL, SLIVER
from aeos.theory import stability

EXACT_BOUND: dict[str, Any] = {"linestyle": style.THEORY["linestyle"], "linewidth": 0.7}
PUBLISHED_BOUND: dict[str, Any] = {"linestyle": ":", "linewidth": 0.8}

# Legend entries: what `growth` draws beside the runs, and what `slopes` does.
BOUNDS = [
    Line2D([], [], color="0.3", **EXACT_BOUND, label="bound, exact"),
    Line2D([], [], color="0.3", **PUBLISHED_BOUND, label="bound, published"),
]
RATES = [
    Line2D([], [], **BOUNDARY, label="$|C|/2$"),
    Line2D([], [], **style.THEORY, label=r"$\log(\gamma^2/\beta)/2$"),
]


def shades(coefficients: Iterable[float]) -> ScalarMappable:
    """Dark for the smallest finite C, light for the largest."""
    values = np.asarray(list(coefficients), dtype=float)
    values = values[np.isfinite(values)]
    colours = ListedColormap(mpl.colormaps["viridis"](np.linspace(0.0, 0.9, 256)))
    return ScalarMappable(Normalize(values.min(), values.max()) if len(values) else None, colours)


def scale(figure: Figure, panels: Sequence[Axes], shade: ScalarMappable) -> None:
    """The colour bar of C to the right of these panels."""
    bar = figure.colorbar(shade, ax=list(panels), aspect=45, pad=0.01)
    bar.set_label("$C$", rotation=0)
    bar.outline.set_linewidth(0)


def growth(panel: Axes, table: pd.DataFrame, paths: Paths, shade: ScalarMappable, count: int = 7) -> None:
    """The max-update of a few points, and its bounds, against the step n that made it; legend: BOUNDS."""
    shown = chosen(table, count)
    for key, c in zip(keys(shown), shown["coefficient"], strict=True):
        rows = paths[key].query("step > 0")
        colour, n = shade.to_rgba(c), rows["step"].to_numpy() - 1
        panel.plot(n, rows["max_update"], color=colour)
        panel.plot(n, stability.max_update_bound(n, *key[:2], "discrete"), color=colour, **EXACT_BOUND)
        panel.plot(n, stability.max_update_bound(n, *key[:2], "continuous"), color=colour, **PUBLISHED_BOUND)
    panel.set(yscale="log", xlabel="step $n$", ylabel=r"max-update $\|u_n\|_\infty$")
    style.steps_axis(panel)


def slopes(panel: Axes, table: pd.DataFrame, shade: ScalarMappable) -> None:
    """The slope of each point, two standard errors either way, over its C, and what the two coefficients say: RATES."""
    points = fitted(table)
    c = points["coefficient"]
    panel.axvline(0, color="0.8", linewidth=0.6)
    panel.plot(c, np.maximum(points["published"], 0), **BOUNDARY)
    panel.plot(c, np.maximum(points["exact"], 0), **style.THEORY)
    panel.errorbar(c, points["slope"], 2 * points["slope_error"], fmt="none", ecolor="0.5", elinewidth=0.6)
    dots(panel, points, points["slope"], shade)
    panel.set_ylabel(r"slope of $\log\,\|u_n\|_\infty$")


def dots(panel: Axes, table: pd.DataFrame, values: Iterable[float], shade: ScalarMappable) -> None:
    """One dot a point over its C."""
    c = table["coefficient"].to_numpy()
    panel.scatter(c, list(values), s=6, c=shade.to_rgba(c), linewidth=0, zorder=2.5)
    panel.set_xlabel("$C$")


def plane(panel: Axes, table: pd.DataFrame, shade: ScalarMappable, levels: Sequence[float]) -> None:
    """The swept points among levels of C, both boundaries and the sliver between them; γ to the right, β upwards."""
    colours = shade.to_rgba(table["coefficient"].to_numpy())
    panel.scatter(table["gamma"], table["beta"], s=4, c=colours, zorder=4, linewidth=0)
    (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
    panel.set(xlim=(left, min(right, 1.0)), ylim=(low, min(high, 1.0)), xlabel=r"$\gamma$", ylabel=r"$\beta$")
    gamma = np.linspace(max(left, 0.0), min(right, 1.0), 400)
    exact, published = gamma**2, stability.level_curve_beta(gamma, 0.0)
    for c in levels:
        panel.plot(gamma, stability.level_curve_beta(gamma, c), **LEVEL)
    panel.fill_between(gamma, exact, published, **SLIVER)
    panel.plot(gamma, published, **BOUNDARY)
    panel.plot(gamma, exact, **style.THEORY)
    panel.xaxis.set_major_locator(MaxNLocator(3))
