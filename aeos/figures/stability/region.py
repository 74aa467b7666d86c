"""The (β, γ) plane of Adam: levels of the stability coefficient, curves across them, the published and exact region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.results.read import Run
from aeos.theory import stability

TABLES = ()

ADAM = (0.999, 0.9)  # β, γ
LEVELS = (-4.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0, 8.0)
FINE = (-1.0, -0.1, -0.01, 0.01, 0.1, 1.0)
CROSSINGS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.88)  # γ at which normal curves, Adam's own aside, cross C = 0
DECADES = (1, 0.1, 0.01, 0.001)
POINTS = 2001
NEAR = 1e-3  # how near to 1 and to 0 curves are drawn
GOLDEN = (1 + np.sqrt(5)) / 2

REGION: dict[str, Any] = {"facecolor": style.COLOURS[0], "alpha": 0.13, "linewidth": 0}
SLIVER: dict[str, Any] = {"facecolor": style.COLOURS[4], "alpha": 0.6, "linewidth": 0}
BOUNDARY: dict[str, Any] = {"color": style.COLOURS[0], "linewidth": 1.2}
LEVEL: dict[str, Any] = {"color": "0.6", "linewidth": 0.6}
NORMAL: dict[str, Any] = {"color": style.COLOURS[1], "linewidth": 0.8, "linestyle": (0, (4, 1.5))}
DOT: dict[str, Any] = {"marker": "o", "color": "black", "markersize": 3, "linestyle": "", "zorder": 5}


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """The unit square; its corner (1, 1) on logarithmic axes; the sliver between the two boundaries."""
    figure = style.new(height=1.75)
    panels = list(figure.subplots(1, 3))
    for panel, paint in zip(panels, (_square, _corner, _sliver), strict=True):
        paint(panel)
        panel.set_box_aspect(1)  # where curves cross at right angles, they are seen to
    style.letters(panels)
    entries = [
        Patch(**REGION, label="$B_+$: $C>0$"),
        Line2D([], [], **BOUNDARY, label="$C=0$"),
        Line2D([], [], **style.THEORY, label=r"$\gamma^2=\beta$"),
        Patch(**SLIVER, label="bounded, yet $C<0$"),
        Line2D([], [], **LEVEL, label="levels of $C$"),
        Line2D([], [], **NORMAL, label="normal curves"),
        Line2D([], [], **DOT, label="Adam's default"),
    ]
    style.legend_below(figure, entries)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """What the curves are drawn to be, and how far the exact boundary lies from the published one."""
    levels = {c: stability.level_curve(POINTS, c, NEAR, _end(c)) for c in {*LEVELS, *FINE, 0.0}}
    off = max(float(np.abs(stability.stability_coefficient(*curve.T) - c).max()) for c, curve in levels.items())
    normals = normal_curves()
    spread = max(float(np.ptp(stability.normal_curve_invariant(*curve.T))) for curve in normals)
    gamma = np.linspace(0, 1, 100_001)[1:-1]
    low, high = _edges(gamma)
    middle = (low + high) / 2
    widest, width = float(gamma[np.argmax(high - low)]), float(np.max(high - low))
    published = float(np.max(stability.stability_coefficient(middle, gamma)))
    exact = float(np.min(stability.discrete_stability_coefficient(middle, gamma)))
    sine = max(map(askew, normals))
    return [
        Claim("largest |C − c| on the levels C = c", 0.0, off, 1e-10, "absolute", "derived"),
        Claim("largest spread of 2β³ + γ³ along a normal curve", 0.0, spread, 1e-12, "absolute", "derived"),
        Claim("sine of the largest angle between a normal curve and ∇C", 0.0, sine, 1e-5, "absolute", "derived", True),
        Claim("γ at which the sliver is widest: φ⁻²", GOLDEN**-2, widest, 1e-4, origin="derived"),
        Claim("largest width of the sliver in β: φ⁻⁵", GOLDEN**-5, width, 1e-6, origin="derived"),
        Claim("along the middle of the sliver: the largest C", 0.0, published, 0.0, "at_most", "derived"),
        Claim("along the middle of the sliver: the smallest log(β/γ²)", 0.0, exact, 0.0, "at_least", "derived"),
    ]


def normal_curves() -> list[np.ndarray]:
    """Across the whole unit square, (POINTS, 2) each, columns β and γ; the last one is Adam's."""
    through = [(float(stability.level_curve_beta(gamma, 0.0)), gamma) for gamma in CROSSINGS]
    return [_whole(float(stability.normal_curve_invariant(*point))) for point in (*through, ADAM)]


def askew(curve: np.ndarray) -> float:
    """The largest |sin| of the angle between the chords of (points, 2) and ∇C = (1/β², −2/γ²) at their middles."""
    chord, (beta, gamma) = np.diff(curve, axis=0).T, (curve[1:] + curve[:-1]).T / 2
    gradient = beta**-2, -2 * gamma**-2
    cross = chord[0] * gradient[1] - chord[1] * gradient[0]
    return float(np.max(np.abs(cross) / np.hypot(*chord) / np.hypot(*gradient)))


def _whole(k: float) -> np.ndarray:
    """The curve 2β³ + γ³ = k up to where it leaves the square, a rounding error away: at β = 1, or at γ = 0."""
    short = 1e-9
    gamma = max(np.cbrt(k - 2 * (1 - short) ** 3), short)
    return stability.normal_curve(POINTS, float(np.cbrt((k - gamma**3) / 2)), float(gamma))


def _end(c: float) -> float:
    """γ where the level C = c leaves the unit square."""
    return 2 / (2 + max(c, 0.0))


def _edges(gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """β on the two edges of the sliver: γ² = β, and C = 0 above it."""
    return gamma**2, np.asarray(stability.level_curve_beta(gamma, 0.0))


def _square(panel: Axes) -> None:
    gamma = np.linspace(0, 1, POINTS)
    low, high = _edges(gamma)
    panel.fill_between(gamma, high, 1, **REGION)
    panel.fill_between(gamma, low, high, **SLIVER)
    for c in LEVELS:
        beta, at = stability.level_curve(POINTS, c, NEAR, _end(c)).T
        panel.plot(at, beta, **LEVEL)
        _value(panel, c, at[-1], beta[-1], top=c > 0)
    panel.plot(gamma, high, **BOUNDARY)
    panel.plot(gamma, low, **style.THEORY)
    for beta, at in (curve.T for curve in normal_curves()):
        panel.plot(at, beta, **NORMAL)
    panel.plot(ADAM[1], ADAM[0], **DOT, clip_on=False)
    panel.set(xlim=(0, 1), ylim=(0, 1), xlabel=r"$\gamma$", ylabel=r"$\beta$")
    panel.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))


def _corner(panel: Axes) -> None:
    """Both axes run towards 1, as those of the square."""
    x = np.geomspace(NEAR, 1, POINTS)[:-1]
    low, high = (1 - beta for beta in _edges(1 - x))
    panel.set(xscale="log", yscale="log", xlim=(1, NEAR), ylim=(1, NEAR / 3), xticks=DECADES, yticks=DECADES)
    panel.fill_between(x, high, NEAR / 3, **REGION)
    panel.fill_between(x, high, low, **SLIVER)
    for c in FINE:
        at = np.geomspace(max(NEAR, 1.0001 * (1 - _end(c))), 1, POINTS)[:-1]
        y = 1 - np.asarray(stability.level_curve_beta(1 - at, c))
        panel.plot(at, y, **LEVEL)
        _value(panel, c, at[0], NEAR / 3 if c > 0 else y[0], top=c > 0)
    panel.plot(x, high, **BOUNDARY)
    panel.plot(x, low, **style.THEORY)
    panel.plot(*(1 - normal_curves()[-1].T[::-1]), **NORMAL)
    panel.plot(1 - ADAM[1], 1 - ADAM[0], **DOT)
    panel.set(xlabel=r"$1-\gamma$", ylabel=r"$1-\beta$")


def _sliver(panel: Axes) -> None:
    x = np.geomspace(NEAR, 1, POINTS)
    low, high = 2 / (1 + x), 2 - x
    panel.set(xscale="log", xlim=(1, NEAR), ylim=(0.9, 2.2), xticks=DECADES, yticks=(1, 1.5, 2))
    panel.fill_between(x, 0.9, low, **REGION)
    panel.fill_between(x, low, high, **SLIVER)
    panel.plot(x, low, **BOUNDARY)
    panel.plot(x, high, **style.THEORY)
    panel.text(0.01, 1.4, "bounded", ha="center")
    panel.text(0.01, 2.06, "unbounded", ha="center")
    panel.set(xlabel=r"$1-\gamma$", ylabel=r"$(1-\beta)/(1-\gamma)$")


def _value(panel: Axes, c: float, x: float, y: float, top: bool) -> None:
    """The level's value where it leaves the panel, above it or to the right of it."""
    place = {"xytext": (0, 1.5), "ha": "center", "va": "bottom"} if top else {"xytext": (2, 0), "va": "center"}
    text = f"{c:g}".replace("-", "−")
    panel.annotate(text, (x, y), textcoords="offset points", fontsize=5.5, color="0.35", **place)
