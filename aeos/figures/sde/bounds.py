"""The expected loss of SignSGD beside the bounds of its three phases, along a run and where they begin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.sde.walks import Setting, averaged, exact, quadratic, series
from aeos.results.read import Run
from aeos.theory import sde

TABLES = ("moments", "averages")

OPTIMIZER, SDE = "signsgd", "new"
CALLED = {OPTIMIZER: "SignSGD", SDE: "the SDE"}
STARTS = (0.25, 0.5, 0.75, 0.999)  # |Y| from which phase 3 is looked at
LONG = 0.4  # of time, from there
FORMS: dict[str, dict[str, Any]] = {
    "paper": style.THEORY,
    "corrected": {"color": style.COLOURS[3], "linestyle": (0, (5, 1.2, 1, 1.2)), "linewidth": 0.9, "zorder": 3},
}


class Losses(NamedTuple):
    """Along the run: E f of the optimizer's exact law; from `phase3` on every coordinate's |Y| is at most 1."""

    setting: Setting
    t: np.ndarray
    exact: np.ndarray
    phase3: int

    def bound(self, phase: int, form: str, start: int = 0) -> np.ndarray:
        lam = self.setting.curvature
        how = {"strong_convexity": min(lam), "trace": sum(lam), "noise": self.setting.noise, "lr": self.setting.lr}
        if start == len(self.t):
            return self.t[:0]
        t = self.t[start:] - self.t[start]
        return np.asarray(sde.loss_bound(phase, t, self.exact[start], dim=len(lam), form=form, **how))


def losses(run: Run) -> Losses:
    """Raises BadInput where the run is not one of SignSGD on a quadratic, or has no rows yet."""
    setting = quadratic(run, OPTIMIZER)
    rows = series(run, OPTIMIZER, "train_loss")
    laws = [exact(setting, i, rows["step"].to_numpy()) for i in range(len(setting.curvature))]
    loss = sum(lam * second / 2 for lam, (_, second) in zip(setting.curvature, laws, strict=True))
    signals = [
        lam * np.abs(mean) / (setting.noise * math.sqrt(2))
        for lam, (mean, _) in zip(setting.curvature, laws, strict=True)
    ]
    above = np.max(signals, axis=0) > 1
    return Losses(setting, rows["t"].to_numpy(), np.asarray(loss), len(above) if above.all() else int(np.argmin(above)))


def alone(setting: Setting, signal: float) -> Losses:
    """f = λx²/2 with the run's smallest λ, begun at Y = `signal`, step by step; `phase3` is where E Y comes below 1."""
    lam = min(setting.curvature)
    scale = setting.noise * math.sqrt(2) / lam
    single = setting._replace(curvature=[lam], start=[signal * scale])
    steps = np.arange(round(LONG / setting.lr) + 1)
    mean, second = exact(single, 0, steps)
    return Losses(single, setting.lr * steps, lam * second / 2, int(np.argmax(mean / scale < 1)))


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """(a) A run and its bounds; (b) phase 2 from where it begins; (c) loss over bound in phase 3, by its start."""
    found = losses(runs[0])
    figure = style.new(height=1.9)
    panels = list(figure.subplots(1, 3, width_ratios=(1.2, 0.9, 1)))
    _run(panels[0], runs[0], found)
    _second(panels[1], found.setting)
    shades = _third(panels[2], found.setting)
    style.letters(panels)
    style.legend_below(
        figure,
        [
            Line2D([], [], color=style.COLOURS[0], linewidth=2.4, alpha=0.45, label="exact law"),
            Line2D([], [], color=style.COLOURS[0], marker="o", markersize=2.4, linestyle="", label="SignSGD"),
            Line2D([], [], color=style.COLOURS[1], marker="x", markersize=3, linestyle="", label="its SDE"),
            *(Line2D([], [], **look, label=f"bound, {form}") for form, look in FORMS.items()),
            *shades,
        ],
    )
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Losses are those of the exact law; bounds hold along the run; from |Y| = 1 the third one must be corrected."""
    found = losses(runs[0])
    setting, begin = found.setting, found.phase3
    second, third = alone(setting, 1.5), [alone(setting, signal) for signal in STARTS]
    made = [claim for name in CALLED for claim in _measured(runs[0], found, name)]
    for form in FORMS:
        shares = {
            "until all |Y| < 1: largest E f over bound 1": found.exact[:begin] / found.bound(1, form)[:begin],
            "d = 1, |Y| from 3/2 to 1: largest E f over bound 2": (second.exact / second.bound(2, form))[
                : second.phase3
            ],
            "from where all |Y| < 1: largest E f over bound 3": found.exact[begin:] / found.bound(3, form, begin),
        }
        origin: Any = "published" if form == "paper" else "derived"
        for text, share in ((text, share) for text, share in shares.items() if len(share)):
            made.append(Claim(f"{text}, {form}", 1.0, float(share.max()), 1e-9, "at_most", origin))
    text = "d = 1, from |Y| = 0.25, …, 0.999: largest E f over bound 3, corrected"
    largest = max(float((each.exact / each.bound(3, "corrected")).max()) for each in third)
    made.append(Claim(text, 1.0, largest, 1e-9, "at_most", "derived"))
    text = "d = 1, from |Y| = 0.999: largest E f over bound 3, paper: it fails there"
    return [
        *made,
        Claim(text, 1.0, float((third[-1].exact / third[-1].bound(3, "paper")).max()), 0.0, "at_least", "derived"),
    ]


def _measured(run: Run, found: Losses, process: str) -> list[Claim]:
    """E f at every observation, and its time average in the end."""
    rows, row = series(run, process, "train_loss"), averaged(run, process, "train_loss")
    beyond = (np.abs(rows["mean"] - found.exact) - 4 * rows["error"]) / found.exact
    text = f"{CALLED[process]}: largest |E f/exact − 1| at any time, 4 s.e. taken off"
    late = (rows["step"] >= row["from"]).to_numpy()
    mean = float(found.exact[late].mean())
    average = (
        f"{CALLED[process]}: E f over t = {rows['t'][late].min():g} … {rows['t'].max():g}, exact; 1.5 % and 4 s.e."
    )
    return [
        Claim(text, 0.015, float(beyond.max()), 0.0, "at_most", "derived"),
        Claim(average, mean, float(row["mean"]), 0.015 + 4 * float(row["error"]) / mean, origin="derived"),
    ]


def _run(panel: Axes, run: Run, found: Losses) -> None:
    panel.plot(found.t, found.exact, color=style.COLOURS[0], linewidth=2.4, alpha=0.45)
    for process, colour, mark in ((OPTIMIZER, 0, "o"), (SDE, 1, "x")):
        rows = series(run, process, "train_loss").iloc[5 + 5 * (process == SDE) :: 10]
        panel.plot(rows["t"], rows["mean"], mark, color=style.COLOURS[colour], markersize=2.4, markeredgewidth=0.7)
    begin = found.phase3
    curves = {form: ((1, 0, found.bound(1, form)), (3, begin, found.bound(3, form, begin))) for form in FORMS}
    for form, look in FORMS.items():
        for _, start, curve in curves[form]:
            panel.plot(found.t[start:][curve > 0], curve[curve > 0], **look)
    panel.set(yscale="log", ylim=(3e-5, None), xlim=(0, found.t[-1]), xlabel="$t$", ylabel=r"$\mathrm{E} f$")
    for (number, start, curve), share in zip(curves["paper"], (0.22, 0.6), strict=True):
        if len(curve):
            at = int(share * len(curve))
            point = found.t[start + at], curve[at]
            panel.annotate(f"bound {number}", point, xytext=(3, 4), textcoords="offset points", fontsize=7)


def _second(panel: Axes, setting: Setting) -> None:
    found = alone(setting, 1.5)
    shown = slice(0, found.phase3)
    panel.plot(found.t[shown], found.exact[shown], color=style.COLOURS[0], linewidth=2.4, alpha=0.45)
    for form, look in FORMS.items():
        panel.plot(found.t[shown], found.bound(2, form)[shown], **look)
    panel.set(xlim=(0, None), ylim=(0, None), xlabel=r"$t$ since $|Y|=3/2$", ylabel=r"$\mathrm{E} f$, $d=1$")


def _third(panel: Axes, setting: Setting) -> list[Line2D]:
    """Returns the legend of the starts."""
    looks = style.sequential(STARTS)
    for signal, look in zip(STARTS, looks, strict=True):
        found = alone(setting, signal)
        for form, line in (("paper", "-"), ("corrected", FORMS["corrected"]["linestyle"])):
            how = look | {"linestyle": line, "linewidth": 0.9}
            panel.plot(found.t, found.exact / found.bound(3, form), **how)
    panel.axhline(1, color="0.6", linewidth=0.6, zorder=0)
    panel.set(xlim=(0, LONG), xlabel=r"$t$ since $|Y|=|Y_0|<1$", ylabel=r"$\mathrm{E} f$ / bound 3")
    return [Line2D([], [], **look, label=rf"$|Y_0|={signal:g}$") for signal, look in zip(STARTS, looks, strict=True)]
