"""Growth of the max-update along a curve of the (β, γ) plane: its slope against half the stability coefficient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.stability.panels import BOUNDS, RATES, dots, growth, plane, scale, shades, slopes
from aeos.figures.stability.readings import Paths, fitted, followed, keys, misses, swept, within_bound
from aeos.figures.stability.region import BOUNDARY
from aeos.results.read import Run
from aeos.theory import stability

TABLES = ("points", "trajectories")

UNSTABLE, STABLE = -0.01, 0.005  # C beyond which a point's growth, or its absence, is told from what a fit may miss
LEVELS = (-0.06, -0.04, -0.02, 0.02, 0.04, 0.06)
WINDOW: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 0.9, "zorder": 3}


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Max-updates and their bounds; slopes, and their ratio to |C|/2; where the points lie; what the loss did."""
    table, paths = swept(runs), followed(runs)
    shade = shades(table["coefficient"])
    figure = style.new(height=3.4)
    grid = figure.add_gridspec(2, 6)
    places = (grid[0, :3], grid[0, 3:], grid[1, :2], grid[1, 2:4], grid[1, 4:])
    panels = [figure.add_subplot(place) for place in places]
    growth(panels[0], table, paths, shade)
    panels[0].legend(handles=BOUNDS, loc="upper left", borderaxespad=0.4)
    slopes(panels[1], table, shade)
    panels[1].legend(handles=RATES, loc="upper right")
    _ratios(panels[2], table, shade)
    plane(panels[3], table, shade, LEVELS)
    _losses(panels[4], table, paths, shade)
    style.letters(panels)
    scale(figure, panels, shade)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Where the coefficient is negative the slope is half of it, the exact one more closely; else it is 0. Over the
    same steps it is that of the exact bound, which no update exceeds.
    """
    table = swept(runs)
    unstable, stable = fitted(table, high=UNSTABLE), fitted(table, low=STABLE)
    found = []
    if len(unstable):
        unstable = unstable.assign(bound=bound_slopes(unstable))
        text = f"C < −{-UNSTABLE:g}: mean of |slope/x − 1|, x = "
        found += [
            Claim(text + "log(γ²/β)/2", 0.0, misses(unstable, "exact"), 0.02, "at_most", "derived", True),
            Claim(text + "|C|/2", 0.0, misses(unstable, "published"), 0.08, "at_most", "published", True),
            Claim(text + "slope of the exact bound", 0.0, misses(unstable, "bound"), 1e-3, "at_most", "derived", True),
        ]
    if len(unstable) > 2:
        alike = float(unstable["slope"].corr(unstable["published"]))
        text = f"C < −{-UNSTABLE:g}: correlation of slope and |C|/2"
        found.append(Claim(text, 1.0, alike, 0.01, "at_least", "published", True))
    if len(stable):
        text, largest = f"C > {STABLE:g}: largest |slope|", float(stable["slope"].abs().max())
        found.append(Claim(text, 0.0, largest, 0.01, "at_most", "published", True))
    return found + within_bound(table)


def bound_slopes(table: pd.DataFrame) -> np.ndarray:
    """(points,): slope of the exact log bound, bias correction and all, over the steps of each point's fit."""
    columns = table[["beta", "gamma", "fit_from", "fit_to"]].to_numpy(float)
    return np.array([_bound_slope(beta, gamma, np.arange(low, high + 1)) for beta, gamma, low, high in columns])


def _bound_slope(beta: float, gamma: float, n: np.ndarray) -> float:
    return float(np.polyfit(n - n[0], stability.log_max_update_bound(n, beta, gamma, "discrete"), 1)[0])


def _ratios(panel: Axes, table: pd.DataFrame, shade: ScalarMappable) -> None:
    points = fitted(table, high=-STABLE)
    c, rate = points["coefficient"], points["published"]
    panel.axhline(1, **BOUNDARY)
    panel.plot(c, points["exact"] / rate, **style.THEORY)
    panel.plot(c, bound_slopes(points) / rate, **WINDOW)
    panel.errorbar(c, points["slope"] / rate, 2 * points["slope_error"] / rate, fmt="none", ecolor="0.5")
    dots(panel, points, points["slope"] / rate, shade)
    panel.set_ylabel("slope / ($|C|/2$)")


def _losses(panel: Axes, table: pd.DataFrame, paths: Paths, shade: ScalarMappable) -> None:
    """At the end, and hollow the smallest on the way: gradients did vanish there."""
    least = [paths[key]["train_loss"].min() for key in keys(table)]
    colours = shade.to_rgba(table["coefficient"].to_numpy())
    panel.scatter(table["coefficient"], least, s=7, facecolor="none", edgecolor=colours, linewidth=0.5)
    dots(panel, table, table["train_loss"], shade)
    panel.set(yscale="log", ylabel="train loss")
    panel.xaxis.set_major_locator(MaxNLocator(3))
