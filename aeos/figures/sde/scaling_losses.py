"""The scaling rule at the minimum: the loss before it, after it, and after it with weight decay left as it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.sde.levels import bars, level, loss, spectrum
from aeos.figures.sde.readings import NAMES
from aeos.figures.sde.stationary import CORRECTED, decay, grouped
from aeos.results.read import Run
from aeos.theory.sde import not_rescaled_loss, stationary_loss

TABLES = ("averages", "moments")

KINDS = ("base", "rescaled", "decay not rescaled")
LOOKS: dict[str, dict[str, Any]] = {
    kind: {"color": style.COLOURS[i], "marker": "os^"[i]} for i, kind in enumerate(KINDS)
}
PUBLISHED = {"base": style.THEORY, "decay not rescaled": style.THEORY | {"linestyle": "-."}}
SLACK = 0.04  # of a formula's levels and ratios, beside four standard errors
SMALL = 4  # θ up to which the published formula is held against the optimizer, beyond it the exact recursion

Found = dict[float, dict[str, Run]]


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """A column an optimizer. Upper: E f over time and paths against θ; lower: relative to that before the rule."""
    groups = {name: by_decay(group) for name, group in grouped(runs).items()}
    figure = style.new(height=3.4)
    panels = figure.subplots(2, len(groups), sharex=True, sharey="row", squeeze=False)
    for (upper, lower), (name, found) in zip(panels.T, groups.items(), strict=True):
        upper.set(title=f"{NAMES[name]}W", xscale="log", yscale="log")
        lower.set_xlabel(r"weight decay $\theta$ before the rule")
        lower.set_xticks(list(found), [f"{theta:g}" for theta in found])
        lower.minorticks_off()
        _theory(upper, lower, found)
        for theta, three in found.items():
            for turn, kind in enumerate(KINDS):
                at = theta * 1.04 ** (turn - 1)
                bars(upper, at, *level(three[kind]), LOOKS[kind])
                bars(lower, at, *ratio(three, kind), LOOKS[kind])
    panels[0, 0].set_ylabel(r"$\mathrm{E} f_\infty$")
    panels[1, 0].set_ylabel("over that of base")
    style.letters(panels.flat)
    entries = [Line2D([], [], **LOOKS[kind], linestyle="", markersize=3.4, label=kind) for kind in KINDS]
    lines = [Line2D([], [], **look, label=f"published, {kind}") for kind, look in PUBLISHED.items()]
    style.legend_below(figure, [*entries, *lines, Line2D([], [], **CORRECTED, label="corrected formulas")])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The level is the published one before and after the rule; it rises as predicted where decay is left out."""
    found = []
    for name, group in grouped(runs).items():
        for theta, three in by_decay(group).items():
            text, base = f"{NAMES[name]}W, θ = {theta:g}, ", three["base"]
            form = "paper" if theta <= SMALL else "exact"
            origin: Any = "published" if theta <= SMALL else "derived"
            for kind in KINDS[:2]:
                (mean, error), value = level(three[kind]), loss(three[kind], form)
                allowed = SLACK + 4 * error / value
                found.append(Claim(f"{text}{kind}: E f∞", value, mean, allowed, origin=origin, set_after=True))
            expected, (value, error) = loss(three[KINDS[2]], form) / loss(base, form), ratio(three, KINDS[2])
            text, allowed = f"{text}{KINDS[2]}: E f∞ over that of base", SLACK + 4 * error / expected
            found.append(Claim(text, expected, value, allowed, origin=origin, set_after=True))
    return found


def by_decay(group: Sequence[Run]) -> Found:
    """θ > 0 → kind → run, where all three kinds are there. Raises BadInput where they are for no θ."""
    found: Found = {}
    for run in group:
        found.setdefault(decay(run), {})[kind_of(run)] = run
    complete = {theta: three for theta, three in sorted(found.items()) if theta and len(three) == len(KINDS)}
    if not complete:
        raise BadInput("for no weight decay are there runs with kappa=1 and kappa=2 kappa_decay=true,false: give them")
    return complete


def kind_of(run: Run) -> str:
    if run.config["kappa"] == 1:
        return "base"
    return "rescaled" if run.config["kappa_decay"] else "decay not rescaled"


def ratio(three: dict[str, Run], kind: str) -> tuple[float, float]:
    """Of that run's level to the base's, and its standard error: 0 of the base's own."""
    (here, error), (there, other) = level(three[kind]), level(three["base"])
    chance = 0.0 if kind == "base" else math.hypot(error / here, other / there) * here / there
    return here / there, chance


def _theory(upper: Axes, lower: Axes, found: Found) -> None:
    base, changed = (next(three[kind] for three in found.values() if kind in three) for kind in (KINDS[0], KINDS[-1]))
    optimizer, kappa = base.config["optimizer"], changed.config["kappa"]
    theta = np.geomspace(min(found) / 1.3, max(found) * 1.3, 100)
    lam, s, lr, beta1 = spectrum(base), base.config["noise"], optimizer["lr"], optimizer.get("beta1", 0.0)
    for form in ("corrected", "paper"):
        how: dict[str, Any] = {"weight_decay": theta[:, None], "beta1": beta1, "form": form}
        before = stationary_loss(optimizer["name"], lam, s, lr, **how)
        after = not_rescaled_loss(kappa, lam, s, lr, **how)
        looks = PUBLISHED if form == "paper" else dict.fromkeys(PUBLISHED, CORRECTED)
        for value, look in zip((before, after), looks.values(), strict=True):
            upper.plot(theta, value, **look)
            lower.plot(theta, value / before, **look)
