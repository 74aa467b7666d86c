"""A setting varied: every run's preconditioned sharpness rises to its threshold, whatever the sharpness itself does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.lines import against_threshold, legend
from aeos.figures.edge.readings import at_the_edge, measured, ratio_axis, standing, step_axis
from aeos.figures.labels import labels as label
from aeos.results.read import Run

TABLES = ("sharpness",)
LOG_FROM = 10.0  # the ratio of the largest threshold to the smallest from which a logarithmic axis tells more


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Preconditioned sharpness and thresholds, then the ratio of the two; where all share one, the ratio and λ₁(H).

    A dot says where P was frozen.
    """
    figure = style.new(height=2.1)
    left, right = panels = list(figure.subplots(1, 2))
    if len(set(_thresholds(runs))) == 1:
        _curves(left, "ratio", runs, labels)
        _curves(right, "sharpness", runs, labels)
        ratio_axis(left, runs)
        right.set_ylim(bottom=0)
        right.set_ylabel("sharpness")
        step_axis(right)
    else:
        against_threshold(left, "preconditioned_sharpness", runs, labels)
        _curves(right, "ratio", runs, labels)
        _raw_axis(left, runs)
        ratio_axis(right, runs)
    style.letters(panels)
    legend(figure, labels)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Every run's median in its window, but for one whose P was frozen earlier than another's: it may stay below.

    Where β₂ differs and the threshold does not, a larger β₂ comes to the edge later.
    """
    names = label(runs)
    freezes = [run.config["optimizer"].get("freeze") for run in runs]
    latest = max((step for step in freezes if step is not None), default=None)
    found = []
    for run, name, freeze in zip(runs, names, freezes, strict=True):
        if freeze == latest or freeze is None:
            found += at_the_edge(run, name)
        else:
            text, rows = f"{name}, too early: largest sharpness/threshold from there on", measured(run)
            largest = float(rows["ratio"][rows["step"] >= freeze].max())
            found.append(Claim(text, 1.0, largest, 0.0, "at_most", "measured"))
    rates = {run.config["optimizer"].get("beta2"): (name, run) for run, name in zip(runs, names, strict=True)}
    if len(rates) == len(runs) > 1 == len(set(_thresholds(runs))):
        for (less, earlier), (more, later) in pairwise(rates[rate] for rate in sorted(rates)):
            text = f"{more} reaches the edge later than {less}: step"
            found.append(Claim(text, _first(earlier), _first(later), 0.0, "at_least", "measured"))
    return found


def _first(run: Run) -> float:
    first = standing(run).first
    return math.nan if first is None else float(first)


def _curves(panel: Axes, column: str, runs: Sequence[Run], labels: Sequence[str]) -> None:
    look = style.looks(labels)
    for run, name in zip(runs, labels, strict=True):
        rows = measured(run)
        panel.plot(rows["step"], rows[column], **look[name])
        frozen = rows[rows["step"] == run.config["optimizer"].get("freeze")]
        panel.plot(frozen["step"], frozen[column], "o", color=look[name]["color"], zorder=4)


def _raw_axis(panel: Axes, runs: Sequence[Run]) -> None:
    """Up to the largest that a run has after it came down to its threshold."""
    thresholds = _thresholds(runs)
    top = 1.05 * max(t * max(1.0, standing(run).largest) for t, run in zip(thresholds, runs, strict=True))
    if max(thresholds) / min(thresholds) > LOG_FROM:
        panel.set_yscale("log")
        panel.set_ylim(top=1.5 * top)
    else:
        panel.set_ylim(0, top)


def _thresholds(runs: Sequence[Run]) -> list[float]:
    """Each run's at its last measurement."""
    return [float(measured(run)["threshold"].iloc[-1]) for run in runs]
