"""What Adam's betas decide on a saddle: which basin a path ends in and how soon, but not the loss there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.sde.levels import bars
from aeos.figures.sde.readings import LOSS, called, processes
from aeos.figures.sde.walks import ends, series
from aeos.results.read import Run

TABLES = ("moments", "paths")

FIRST = "theta[0]"  # the coordinate whose sign says which basin
SIDES = {"right": 1, "left": -1}
WIDE = {"linewidth": 2.4, "alpha": 0.6, "solid_capstyle": "round"}  # the optimizer, under its SDE's dashes
BESIDE = 0.02  # a start so far to the right of the saddle, or farther, is to end on the right


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Mean loss over time; the share of paths that end on the right; the mean loss of those of each side at the end."""
    groups = by_betas(runs)
    looks = dict(zip(groups, style.categorical(len(groups)), strict=True))
    figure = style.new(height=2.4)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    starts = sorted({start(run) for run in runs})
    for turn, (betas, group) in enumerate(groups.items()):
        look = looks[betas]
        for run in group:
            for process, how in zip(processes(run), (look | WIDE, style.THEORY), strict=False):
                if start(run) == starts[-1]:
                    rows = series(run, process, LOSS).query("step > 0")
                    left.plot(rows["step"], rows["mean"], **how)
        for number, process in enumerate(processes(group[0])[:2]):
            beside, hollow = 0.16 * (turn - (len(groups) - 1) / 2) + 0.06 * number, number > 0
            for run in group:
                bars(middle, starts.index(start(run)) + beside, *share(run, process), look, hollow)
            for place, side in enumerate(SIDES):
                (value, error), there = level(group, side, process), abs(still(runs[0], side)[1])
                bars(right, place + beside, 100 * (value / there + 1), 100 * error / there, look, hollow)
    right.axhline(0, **style.THEORY)
    left.set(ylabel=r"$\mathrm{E} f$", xlabel="step", xscale="log")
    middle.set_xticks(range(len(starts)), [f"{x:g}" for x in starts])
    middle.set(xlabel="start $x_1$", ylabel="share that ends on the right", xlim=(-0.5, len(starts) - 0.5))
    right.set_xticks(range(len(SIDES)), list(SIDES))
    right.set(xlabel="basin", ylabel=r"$\mathrm{E} f/|f_0| + 1$, %", xlim=(-0.5, len(SIDES) - 0.5))
    style.letters((left, middle, right))
    entries = [
        Line2D([], [], **look | WIDE, label=rf"$\beta_1={a:g},\ \beta_2={b:g}$") for (a, b), look in looks.items()
    ]
    model = Line2D([], [], **style.THEORY, marker="o", markersize=3.4, markerfacecolor="none", label="the SDE")
    style.legend_below(figure, [*entries, model])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The level of a basin is the same for all betas: that where the drift vanishes. The SDE tells the shares."""
    found, groups = [], by_betas(runs)
    for side in SIDES:
        told = still(runs[0], side)[1]
        values = [level(group, side, processes(group[0])[0])[0] for group in groups.values()]
        text = f"{side} basin: E f at the end, betas apart"
        found.append(
            Claim(f"{text}, range over mean", 0.0, float(np.ptp(values) / abs(np.mean(values))), 0.02, "at_most")
        )
        for betas, value in zip(groups, values, strict=True):
            say = f"{side} basin, beta1 = {betas[0]:g}, beta2 = {betas[1]:g}: E f at the end"
            found.append(Claim(say, told, value, 0.02, origin="derived", set_after=True))
    for run in runs:
        model, name = processes(run)[1], f"{named(run)}, start {start(run):g}"
        (real, error), (here, other) = share(run, processes(run)[0]), share(run, model)
        chance = 4 * math.hypot(error, other)
        found.append(Claim(f"{name}: share on the right, SDE", real, here, chance, "absolute", "measured"))
        if start(run) >= BESIDE:
            found.append(Claim(f"{name}: share on the right", 0.95, real, 0.0, "at_least", "measured", set_after=True))
    return found


def by_betas(runs: Sequence[Run]) -> dict[tuple[float, float], list[Run]]:
    """(β₁, β₂) → its runs. Raises BadInput where a run is not of Adam on the saddle."""
    found: dict[tuple[float, float], list[Run]] = {}
    for run in runs:
        optimizer, problem = run.config["optimizer"], run.config["problem"]
        if optimizer["name"] != "adam" or problem["name"] != "saddle" or problem["spectrum"][0] >= 0:
            raise BadInput(f"{run.name}: this figure needs optimizer=adam and problem=saddle with its first h < 0")
        found.setdefault((float(optimizer["beta1"]), float(optimizer["beta2"])), []).append(run)
    return found


def named(run: Run) -> str:
    optimizer = run.config["optimizer"]
    return f"{called(run)}, beta1 = {optimizer['beta1']:g}, beta2 = {optimizer['beta2']:g}"


def start(run: Run) -> float:
    """x₁ at step 0."""
    return float(run.config["problem"]["start"][0])


def share(run: Run, process: str) -> tuple[float, float]:
    """Of paths that end at x₁ > 0, with its standard error √(p(1 − p)/n)."""
    right = ends(run, process, FIRST) > 0
    p = float(right.mean())
    return p, math.sqrt(p * (1 - p) / len(right))


def level(group: Sequence[Run], side: str, process: str) -> tuple[float, float]:
    """Mean loss at the last step of all paths on that side, all starts together, with its standard error."""
    f = np.concatenate([ends(run, process, LOSS)[ends(run, process, FIRST) * SIDES[side] > 0] for run in group])
    return (float(f.mean()), float(f.std() / math.sqrt(len(f)))) if len(f) else (math.nan, 0.0)


def still(run: Run, side: str) -> tuple[float, float]:
    """x₁ and f where P⁻¹f′ = −θx, P² = s² + f′²: the root of f′²(1 − θ²x²) = θ²x²s² that is next to that side's minimum

    The other coordinates at 0, and without the noise of x: right to O(η).
    """
    problem, theta, s = run.config["problem"], run.config["optimizer"]["weight_decay"], run.config["noise"]
    slope = np.poly1d([problem["quartic"], -problem["cubic"], problem["spectrum"][0], 0.0])
    decay = np.poly1d([theta, 0.0])
    roots = (slope**2 * (1 - decay**2) - s**2 * decay**2).roots
    real = roots[np.isreal(roots)].real
    fitting = [x for x in real if x * SIDES[side] > 0 and slope(x) * x <= 0]
    x = max(fitting, key=abs)
    return float(x), float(slope.integ()(x))
