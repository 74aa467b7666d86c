"""Across both stability boundaries where they lie far apart: in the sliver between them updates do not grow."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.stability.panels import BOUNDS, RATES, growth, plane, scale, shades, slopes
from aeos.figures.stability.readings import fitted, followed, misses, swept, within_bound
from aeos.figures.stability.region import SLIVER
from aeos.results.read import Run

TABLES = ("points", "trajectories")

NEAR = 0.05  # |log(β/γ²)| and |C| below which a rate is so small that growth may start late
LEVELS = (-2.5, -2.0, -1.5, -1.0, -0.5, 0.5, 1.0)
SHOWN = 0.02, 1e20  # max-updates: published bounds go on to e^400


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Max-updates and their bounds; slopes, the sliver shaded; where the points lie."""
    table, paths = swept(runs), followed(runs)
    shade = shades(table["coefficient"])
    figure = style.new(height=1.9)
    panels = list(figure.subplots(1, 3, width_ratios=(1.1, 1.1, 0.8)))
    growth(panels[0], table, paths, shade)
    panels[0].set_ylim(*SHOWN)
    slopes(panels[1], table, shade)
    inside = table[table["exact"] < 0]
    panels[1].axvspan(inside["coefficient"].min(), 0, **SLIVER)
    plane(panels[2], table, shade, LEVELS)
    style.letters(panels)
    scale(figure, panels, shade)
    style.legend_below(figure, [*BOUNDS, *RATES, Patch(**SLIVER, label=r"$\gamma^2<\beta$, $C<0$")])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Growth at the exact rate beyond γ² = β; none in the sliver, where the published rate is far from zero."""
    table = swept(runs)
    beyond = fitted(table).query("exact > @NEAR / 2")
    sliver = fitted(table, high=-NEAR).query("exact < 0")
    found = []
    if len(beyond):
        text = f"log(β/γ²) < −{NEAR:g}: mean of |slope/x − 1|, x = log(γ²/β)/2"
        found.append(Claim(text, 0.0, misses(beyond, "exact"), 0.01, "at_most", "derived", True))
    if len(sliver):
        text, largest = f"γ² < β and C < −{NEAR:g}: ", float(sliver["slope"].max())
        text += f"largest slope, where |C|/2 is up to {sliver['published'].max():.2g}"
        found.append(Claim(text, 0.0, largest, 0.02, "at_most", "derived", True))
    return found + within_bound(table)
