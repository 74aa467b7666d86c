"""Test loss along a curve of the (β, γ) plane: how low it gets, in how many steps, at which stability coefficient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.stability.panels import plane, scale, shades
from aeos.figures.stability.readings import Paths, best_within, chosen, followed, keys, rank_correlation, swept
from aeos.figures.stability.region import ADAM, DOT
from aeos.results.read import Run

TABLES = ("points", "trajectories")

PARTS = (10, 3, 1)  # the best test loss of the first tenth of the steps, of the first third, and of all
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": style.COLOURS[4]},
    {"color": style.COLOURS[1]},
    {"color": style.COLOURS[0], "linestyle": (0, (3, 2))},
)
SHOWN = 9  # curves
LEVELS = (-0.04, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24)
STRONG = -0.8


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Curves of one seed; the best test loss in so many steps, over seeds, against C; where the points lie."""
    table, paths = swept(runs), followed(runs)
    shade = shades(table["coefficient"])
    figure = style.new(height=1.9)
    panels = list(figure.subplots(1, 3, width_ratios=(1, 1.15, 0.85)))
    _curves(panels[0], table, paths, shade)
    _best(panels[1], table, paths, _steps(runs))
    plane(panels[2], table, shade, LEVELS)
    panels[2].plot(ADAM[1], ADAM[0], **DOT, clip_on=False)
    style.letters(panels)
    scale(figure, panels, shade)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The larger C, the lower the best test loss: in rank, for the seed where it is least so; early on, at all."""
    table, paths = swept(runs), followed(runs)
    found = []
    for part in PARTS:
        steps = _steps(runs) // part
        ranks = correlations(table, paths, steps)
        text = f"rank correlation of C and the best test loss of {steps} steps, largest of {len(ranks)} seeds"
        if part > 3:
            found.append(Claim(text, 0.0, max(ranks), 0.0, "at_most", "published", set_after=True))
        else:
            found.append(Claim(text, STRONG, max(ranks), 0.0, "at_most", "measured", set_after=True))
    return found


def correlations(table: pd.DataFrame, paths: Paths, steps: float = np.inf) -> list[float]:
    """Spearman's, of C and the best test loss in so many steps: one a seed."""
    table = table.assign(best=best_within(table, paths, steps))
    return [rank_correlation(group["coefficient"], group["best"]) for _, group in table.groupby("seed")]


def _steps(runs: Sequence[Run]) -> int:
    return max(int(run.config["steps"]) for run in runs)


def _curves(panel: Axes, table: pd.DataFrame, paths: Paths, shade: ScalarMappable) -> None:
    shown = chosen(table, SHOWN)
    for key, c in zip(keys(shown), shown["coefficient"], strict=True):
        rows = paths[key].query("step > 0")
        panel.plot(rows["step"], rows["test_loss"], color=shade.to_rgba(c), linewidth=0.8)
    panel.set(xscale="log", yscale="log", xlabel="step", ylabel="test loss")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_formatter(NullFormatter())


def _best(panel: Axes, table: pd.DataFrame, paths: Paths, steps: int) -> None:
    """The mean over seeds; of all steps also a band from the best seed to the worst."""
    for part, look in zip(PARTS, LOOKS, strict=True):
        seeds = table.assign(best=best_within(table, paths, steps // part)).groupby("coefficient")["best"]
        low, mean, high = seeds.min(), seeds.mean(), seeds.max()
        panel.plot(mean.index, mean, **look, label=f"{steps // part} steps")
    panel.fill_between(mean.index, low, high, color=look["color"], alpha=0.2, linewidth=0)
    panel.set(xlabel="$C$", ylabel="best test loss")
    panel.legend()
