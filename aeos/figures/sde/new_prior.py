"""An optimizer beside its newer SDE and the prior one, which leaves the signal out of the second moment."""

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
from aeos.figures.sde.levels import bars, level, loss
from aeos.figures.sde.readings import LOSS, NAMES, processes
from aeos.figures.sde.walks import series
from aeos.results.read import Run

TABLES = ("moments", "averages")

FAR = 1e3  # a start this much above the level of the quadratic shows a transient, else the level is what it shows
OPTIMIZER: dict[str, Any] = {"color": style.COLOURS[0], "linewidth": 3.0, "alpha": 0.45, "solid_capstyle": "round"}
LOOKS: dict[str, dict[str, Any]] = {
    "new": {"color": "black"},
    "prior": {"color": style.COLOURS[1]},
    "lagged": {"color": style.COLOURS[2]},
}
CALLED = {"new": "newer SDE", "prior": "prior SDE", "lagged": r"newer, without $\eta\rho_1(\nabla f - M)$"}
HUGE = 1e300  # stands for infinity: a claim wants numbers
TOP = 30.0  # of the ratio of levels that is shown; above it, or diverged, there is a cross
BETTER = 10  # times smaller, at least, is the newer SDE's error


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Upper: mean loss above its minimum, one column a problem, and levels near the minimum over the noise.
    Lower: relative errors of the SDEs' means; levels relative to the optimizer's.
    """
    columns, near = transients(runs), levels(runs)
    count = len(columns) + bool(near)
    figure = style.new(height=3.3)
    panels = figure.subplots(2, count, sharex="col", squeeze=False)
    for (upper, lower), (name, group) in zip(panels.T, columns.items(), strict=False):
        upper.set_title(name)
        for run, dash in zip(group, style.DASHES, strict=False):
            _transient(upper, lower, run, dash)
        for panel in (upper, lower):
            panel.set(yscale="log")
            style.steps_axis(panel)
        lower.set_xlabel("step")
    panels[0, 0].set_ylabel(r"$\mathrm{E} f - f_*$")
    panels[1, 0].set_ylabel("relative error of it")
    if near:
        _levels(panels[0, -1], panels[1, -1], near)
    style.letters(panels.flat)
    style.legend_below(figure, _legend(runs, columns, near))
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The newer SDE's error is ten times smaller at least; near a minimum both hold only where ηλ/s is small."""
    found = []
    for name, group in transients(runs).items():
        for run in group:
            text = f"{NAMES[run.config['optimizer']['name']]}, {name}, s = {run.config['noise']:g}"
            new, chance = worst(run, "new")
            slack = 0.005 + 4 * chance
            say = f"{text}: worst relative error of E f − f*"
            found.append(Claim(f"{say}, newer SDE", 0.0, new, slack, "at_most", "published", set_after=True))
            if "prior" in processes(run):
                ratio = worst(run, "prior")[0] / new
                found.append(Claim(f"{say}, prior over newer", BETTER, ratio, 0.0, "at_least", "published"))
    return found + _near(levels(runs))


def transients(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Problem → the runs that start far from its minimum, largest noise first. Raises BadInput where there are none."""
    found: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: -run.config["noise"]):
        if not _is_level(run):
            found.setdefault(run.config["problem"]["name"], []).append(run)
    if not found:
        raise BadInput("no run starts far from its minimum: give runs with problem.start=[1.0] or so")
    return dict(sorted(found.items()))


def levels(runs: Sequence[Run]) -> list[Run]:
    """The runs that show a level, smallest noise first."""
    return sorted((run for run in runs if _is_level(run)), key=lambda run: (run.config["substeps"], _noise(run)))


def excess(run: Run, process: str) -> pd.DataFrame:
    """moments.csv's rows of the loss, their mean above the minimum f* of the problem."""
    rows = series(run, process, LOSS)
    return rows.assign(mean=rows["mean"] - lowest(run.config["problem"]))


def lowest(problem: dict[str, Any]) -> float:
    """min f: 0 of a quadratic with h ≥ 0; Σ min over x of ½hx² + (λ/4)x⁴ − (ξ/3)x³ of the saddle."""
    if problem["name"] != "saddle":
        return 0.0
    quartic, cubic, least = problem["quartic"], problem["cubic"], 0.0
    for h in problem["spectrum"]:
        roots = np.roots([quartic, -cubic, h, 0.0])
        x = roots[np.isreal(roots)].real
        least += float(np.min(h / 2 * x**2 + quartic / 4 * x**4 - cubic / 3 * x**3))
    return least


def errors(run: Run, process: str) -> pd.DataFrame:
    """step; value: |E f of the SDE − E f|/(E f − f*), E of the optimizer; chance: its standard error."""
    real, model = excess(run, processes(run)[0]), excess(run, process)
    both = model.merge(real, on="step", suffixes=("", "_real"))
    value = (both["mean"] - both["mean_real"]).abs() / both["mean_real"]
    chance = np.hypot(both["error"], both["error_real"]) / both["mean_real"]
    return pd.DataFrame({"step": both["step"], "value": value, "chance": chance}).query("step > 0")


def worst(run: Run, process: str) -> tuple[float, float]:
    """The largest of `errors`, with its standard error; infinite where the SDE diverged."""
    rows = errors(run, process)
    if len(rows) + 1 < len(series(run, processes(run)[0], LOSS)):
        return math.inf, 0.0
    row = rows.iloc[int(rows["value"].argmax())]
    return float(row["value"]), float(row["chance"])


def _is_level(run: Run) -> bool:
    if run.config["problem"]["name"] != "quadratic":
        return False
    return float(series(run, processes(run)[0], LOSS)["mean"].iloc[0]) < FAR * loss(run, "paper")


def _noise(run: Run) -> float:
    return float(run.config["noise"])


def _transient(upper: Axes, lower: Axes, run: Run, dash: Any) -> None:
    optimizer, *models = processes(run)
    real = excess(run, optimizer)
    upper.plot(real["step"], real["mean"], **OPTIMIZER)
    for model in models:
        rows, error = excess(run, model), errors(run, model)
        upper.plot(rows["step"], rows["mean"], **LOOKS[model], linestyle=dash, linewidth=1.0)
        lower.plot(error["step"], error["value"], **LOOKS[model], linestyle=dash, linewidth=0.9)
    chance = errors(run, models[0])
    lower.fill_between(chance["step"], 2 * chance["chance"], color="0.85", linewidth=0)


def _levels(upper: Axes, lower: Axes, near: Sequence[Run]) -> None:
    """E f over time and paths against s: the optimizer's, and the SDEs' relative to it."""
    once = [run for run in near if run.config["substeps"] == near[0].config["substeps"]]
    s = [_noise(run) for run in once]
    own = [level(run) for run in once]
    upper.plot(s, [loss(run, "paper") for run in once], **style.THEORY)
    upper.plot(s, [loss(run, "exact") for run in once], color=style.COLOURS[0], linewidth=0.8)
    bars(upper, s, [mean for mean, _ in own], [error for _, error in own], {"color": style.COLOURS[0]})
    upper.set(ylabel=r"$\mathrm{E} f_\infty$", title="near the minimum")
    lower.axhline(1, color=style.COLOURS[0], linewidth=0.8)
    for run in near:
        for model in processes(run)[1:]:
            value, error = ratio(run, model)
            hollow = run.config["substeps"] > 1
            if math.isfinite(value) and value < TOP:
                bars(lower, _noise(run), value, error, LOOKS[model], hollow)
            else:
                lower.plot(_noise(run), TOP, "x", markersize=4, clip_on=False, color=LOOKS[model]["color"])
    for model, look in LOOKS.items():
        for substeps in {run.config["substeps"] for run in near}:
            of = [run for run in near if run.config["substeps"] == substeps and model in processes(run)]
            told = [loss(run, "exact", model) / loss(run, "exact") for run in of]
            lower.plot([_noise(run) for run in of], told, **look, linewidth=0.7, linestyle=_dash(substeps))
    entries = [
        Line2D([], [], color="0.3", linestyle=_dash(n), marker="o", markersize=3.4, mew=0.8, linewidth=0.7, label=label)
        for n, label in ((1, "$dt=\\eta$"), (4, "$dt=\\eta/4$"))
    ]
    entries[1].set_markerfacecolor("none")
    lower.legend(handles=entries, loc="upper right", fontsize=7, borderaxespad=0.3)
    lower.set(ylim=(0.15, TOP), ylabel="SDE / optimizer", xlabel="noise $s$")
    for panel in (upper, lower):
        panel.set(xscale="log", yscale="log")


def ratio(run: Run, model: str) -> tuple[float, float]:
    """Level of an SDE over the optimizer's, with its standard error; infinite where the SDE diverged."""
    (here, error), (there, other) = level(run, model), level(run)
    value = here / there
    return value, value * math.hypot(error / here, other / there) if math.isfinite(value) else 0.0


def _dash(substeps: int) -> Any:
    return "-" if substeps == 1 else style.DASHES[2]


def _near(near: Sequence[Run]) -> list[Claim]:
    """Of each SDE: the level of every run where its recursion has one; no level where it has none."""
    found = []
    for model in dict.fromkeys(name for run in near for name in processes(run)[1:]):
        pairs = [
            (*ratio(run, model), loss(run, "exact", model) / loss(run, "exact"))
            for run in near
            if model in processes(run)
        ]
        misses = [(abs(value / told - 1), error / told) for value, error, told in pairs if math.isfinite(told)]
        miss, error = max(misses, default=(math.nan, 0.0))
        text = f"near the minimum, {model} over optimizer: largest |level/x − 1|, x = that of the recursions"
        found.append(Claim(text, 0.0, miss, 0.02 + 4 * error, "at_most", "derived", set_after=True))
        if lost := [value for value, _, told in pairs if not math.isfinite(told)]:
            text = f"near the minimum, {model}, where its recursion is unstable: smallest level over the optimizer's"
            found.append(Claim(text, TOP, min(*lost, HUGE), 0.0, "at_least", "derived", set_after=True))
    return found


def _legend(runs: Sequence[Run], columns: dict[str, list[Run]], near: Sequence[Run]) -> list[Line2D]:
    models = dict.fromkeys(name for run in runs for name in processes(run)[1:])
    entries = [Line2D([], [], **OPTIMIZER, label=NAMES[runs[0].config["optimizer"]["name"]])]
    entries += [Line2D([], [], **LOOKS[name], label=CALLED[name]) for name in models]
    noises = dict.fromkeys(_noise(run) for group in columns.values() for run in group)
    entries += [
        Line2D([], [], color="0.3", linestyle=dash, label=f"$s={noise:g}$")
        for noise, dash in zip(noises, style.DASHES, strict=False)
    ]
    if near:
        entries.append(Line2D([], [], **style.THEORY, label="published level"))
    return entries
