"""How widely an optimizer hovers when noise grows: AdamW alone is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.sde.levels import bars, level, predicted, spectrum
from aeos.figures.sde.readings import called
from aeos.results.read import Run
from aeos.theory.sde import stationary_variance

TABLES = ("averages", "moments")

LIMIT: dict[str, Any] = {"color": "0.55", "linestyle": ":", "linewidth": 1.1}
GROWS = {"SGD": 2.0, "SignSGD": 1.0, "Adam + L2": 1.0}  # Var ∝ s to this power

Found = dict[str, list[Run]]


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Var X_∞ of the flattest direction against the noise; then of all, relative to the corrected formulas."""
    found = by_optimizer(runs)
    looks = dict(zip(found, style.categorical(len(found)), strict=True))
    figure = style.new(height=2.5)
    left, right = figure.subplots(1, 2)
    right.axhline(1, **style.THEORY)
    for name, group in found.items():
        _grown(left, group, looks[name])
        modes = range(len(spectrum(group[0])))
        for run in group:
            for i in modes:
                value, error = relative(run, i, "corrected")
                at = noise(run) * 1.09 ** (list(found).index(name) - 1.5 + 0.4 * i)
                bars(right, at, value, error, looks[name], hollow=i > 0)
    if decayed := [run for run in runs if called(run) == "AdamW"]:
        left.axhline(limit(decayed[0]), **LIMIT)
    left.set(yscale="log", ylabel=r"Var $X_\infty$, smallest $\lambda$")
    right.set_ylabel("Var / corrected formula")
    for panel in (left, right):
        panel.set(xscale="log", xlabel="noise $s$")
    style.letters((left, right))
    dot: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 3.4}
    entries = [Line2D([], [], **look | dot, label=name) for name, look in looks.items()]
    lines = [Line2D([], [], **style.THEORY, label="published"), Line2D([], [], **LIMIT, label=r"$\eta/(2\theta)$")]
    style.legend_below(figure, [*entries, *lines])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Levels are as the corrected formulas say; they grow as s², s and s, but AdamW's stays below η/(2θ)."""
    found = []
    for name, group in by_optimizer(runs).items():
        every = [relative(run, i, "corrected") for run in group for i in range(len(spectrum(run)))]
        miss, error = max((abs(value - 1), error) for value, error in every)
        text = f"{name}: largest |Var/corrected formula − 1|"
        found.append(Claim(text, 0.0, miss, 0.01 + 4 * error, "at_most", "derived", set_after=True))
        (low, _), (high, _) = level(group[0], i=0), level(group[-1], i=0)
        if name in GROWS and len(group) > 1:
            power = float(np.log(high / low) / np.log(noise(group[-1]) / noise(group[0])))
            found.append(Claim(f"{name}: power of s that Var grows with", GROWS[name], power, 0.05, "absolute"))
        if name == "AdamW":
            text = f"AdamW, s = {noise(group[-1]):g}: Var over its bound η/(2θ)"
            found.append(Claim(text, 1.0, high / limit(group[-1]), 0.0, "at_most", "published"))
    return found


def by_optimizer(runs: Sequence[Run]) -> Found:
    """Name → its runs, smallest noise first. Raises BadInput where there is no more than one noise."""
    found: Found = {}
    for run in sorted(runs, key=noise):
        found.setdefault(called(run), []).append(run)
    if len({noise(run) for run in runs}) < 2:
        raise BadInput("these runs have one noise: give runs with several, noise=0.1,1,10")
    return dict(sorted(found.items(), key=lambda item: -level(item[1][-1], i=0)[0]))


def noise(run: Run) -> float:
    return float(run.config["noise"])


def limit(run: Run) -> float:
    """η/(2θ), what AdamW's variance tends to as s → ∞."""
    optimizer = run.config["optimizer"]
    return float(optimizer["lr"] / (2 * optimizer["weight_decay"]))


def relative(run: Run, i: int, form: str) -> tuple[float, float]:
    (mean, error), told = level(run, i=i), float(predicted(run, form)[i])
    return mean / told, error / told


def _grown(panel: Axes, group: Sequence[Run], look: dict[str, Any]) -> None:
    optimizer = group[0].config["optimizer"]
    s = np.geomspace(noise(group[0]) / 1.4, noise(group[-1]) * 1.4, 100)
    how = {key: optimizer[key] for key in ("weight_decay", "beta1", "decoupled") if key in optimizer}
    panel.plot(
        s, stationary_variance(optimizer["name"], spectrum(group[0])[0], s, optimizer["lr"], **how), **style.THEORY
    )
    for run in group:
        bars(panel, noise(run), *level(run, i=0), look)
