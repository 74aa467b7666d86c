"""How widely AdamW and RMSpropW hover about a minimum, beside their SDEs and what the formulas say."""

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
from aeos.figures.sde.levels import bars, level, loss, predicted, settings, spectrum
from aeos.figures.sde.readings import NAMES, processes
from aeos.results.read import Run

TABLES = ("averages", "moments")

CORRECTED: dict[str, Any] = {"color": "0.55", "linestyle": ":", "linewidth": 1.1, "zorder": 2}
CALLED = {
    "new": "SDE as printed",
    "lagged": r"without $\eta\rho_1(\nabla f - M)$",
    "noisy": "with that term and its noise",
    "prior": "prior SDE",
}
ORDER = ("rmsprop", "adam")
SAMPLING = 4  # standard errors that a claim leaves to chance
FORMULA = 0.03  # at θ = 20 it lacks the finite step, 2 %
EXACT = 0.01  # what the linear recursion leaves out: the chance in V, of order 1 − β₂


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """One panel an optimizer: Var/published of every process, by decay and curvature, and what theory says of each.

    Raises BadInput when no run is of RMSprop or Adam.
    """
    groups = grouped(runs)
    shown = list(dict.fromkeys(name for group in groups.values() for run in group for name in processes(run)[1:]))
    looks = dict(zip(["optimizer", *shown], style.categorical(len(shown) + 1), strict=True))
    figure = style.new(height=2.5)
    panels = figure.subplots(1, len(groups), squeeze=False).flat
    for panel, (name, group) in zip(panels, groups.items(), strict=True):
        _panel(panel, group, looks)
        panel.set_title(f"{NAMES[name]}(W)")
    panels[0].set_ylabel(r"Var $X_\infty$ / published formula")
    style.letters(panels)
    entries = [
        Line2D([], [], marker="o", linestyle="-", color=look["color"], label=CALLED.get(name, name), markersize=3.4)
        for name, look in looks.items()
    ]
    corrected = Line2D([], [], **CORRECTED, label="corrected formula")
    style.legend_below(figure, [*entries, Line2D([], [], **style.THEORY, label="published formula"), corrected])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Every process hovers as its own recursion says, the optimizer also as the corrected formula does; the printed
    term of Adam's SDE takes 2(1 − β₁) of the variance.
    """
    found = []
    for name, group in grouped(runs).items():
        for process in dict.fromkeys(process for run in group for process in processes(run)):
            if process != "prior":
                text = f"{NAMES[name]}(W), {process}: largest |Var/x − 1|, x = "
                found.append(_claim(text + "that of its recursion, P at its mean", group, process, "exact", EXACT))
            if process == name:
                found.append(_claim(text + "the corrected formula", group, process, "corrected", FORMULA))
        for run in group:
            if name == "adam" and not decay(run) and "new" in processes(run):
                text = "Adam, SDE as printed: E f over the published formula, 1 − 2(1 − β₁)"
                value, told = level(run, "new")[0] / loss(run, "paper"), 2 * settings(run)["beta1"] - 1
                found.append(Claim(text, told, value, 0.03, origin="derived", set_after=True))
    return found


def grouped(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """RMSprop's runs, then Adam's, by weight decay. Raises BadInput where there are none."""
    groups = {name: [run for run in runs if run.config["optimizer"]["name"] == name] for name in ORDER}
    found = {name: sorted(group, key=decay) for name, group in groups.items() if group}
    if not found:
        raise BadInput("these runs are of neither rmsprop nor adam: give runs of one of them")
    return found


def decay(run: Run) -> float:
    return float(run.config["optimizer"]["weight_decay"])


def _panel(panel: Axes, group: Sequence[Run], looks: dict[str, dict[str, Any]]) -> None:
    ticks: list[float] = []
    middles: list[float] = []
    for run in group:
        published = predicted(run, "paper")
        at = (ticks[-1] + 1.5 if ticks else 0.0) + np.arange(len(published))
        panel.plot(at, predicted(run, "corrected") / published, **CORRECTED)
        for turn, process in enumerate(processes(run)):
            look = looks["optimizer" if not turn else process]
            beside = at + 0.11 * (turn - (len(processes(run)) - 1) / 2)
            panel.plot(beside, predicted(run, "exact", process) / published, color=look["color"], linewidth=0.8)
            bars(panel, beside, *modes(run, process, published), look)
        ticks += list(at)
        middles.append(at.mean())
    panel.axhline(1, **style.THEORY)
    panel.set_xticks(ticks, [f"{lam:g}" for run in group for lam in spectrum(run)], minor=True)
    panel.set_xticks(middles, [rf"$\theta={decay(run):g}$" for run in group])
    panel.tick_params(axis="x", which="major", length=0, pad=12)
    panel.set_xlabel(r"curvature $\lambda$, weight decay $\theta$")


def _claim(text: str, group: Sequence[Run], process: str, form: str, slack: float) -> Claim:
    """Over all modes of all runs; slack, and four standard errors of the worst."""
    values = [modes(run, process, predicted(run, form, process)) for run in group if process in processes(run)]
    misses = [(abs(ratio - 1), error) for ratios, errors in values for ratio, error in zip(ratios, errors, strict=True)]
    miss, error = max(misses)
    return Claim(text, 0.0, miss, slack + SAMPLING * error, "at_most", "derived", set_after=True)


def modes(run: Run, process: str, unit: np.ndarray) -> tuple[list[float], list[float]]:
    """E θᵢ² of each coordinate over `unit` (d,), and their standard errors."""
    means, errors = zip(*(level(run, process, i) for i in range(len(unit))), strict=True)
    return np.divide(means, unit).tolist(), np.divide(errors, unit).tolist()
