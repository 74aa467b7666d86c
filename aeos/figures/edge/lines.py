"""A quantity of sharpness.csv with the threshold of its run dashed: the line that most figures of the edge repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from aeos.figures import style
from aeos.figures.edge.readings import measured, step_axis
from aeos.results.read import Run

FEW = 100.0  # the ratio of an axis' ends up to which its powers of ten are too few labels


def against_threshold(panel: Axes, column: str, runs: Sequence[Run], labels: Sequence[str], **thin: Any) -> None:
    """The column and its threshold against the step; dashes in the run's colour, in black where one label is alone."""
    look = style.looks(labels)
    for run, name in zip(runs, labels, strict=True):
        rows = measured(run)
        panel.plot(rows["step"], rows[column], **thin | look[name])
        own = {"color": look[name]["color"]} if len(look) > 1 else {}
        panel.plot(rows["step"], rows["threshold"], **style.THEORY | own)
    bare = column == "sharpness" or all(map(plain, runs))
    panel.set_ylabel("sharpness" if bare else "preconditioned sharpness")
    step_axis(panel)


def loss_axis(panel: Axes) -> None:
    """Logarithmic; where it spans little more than a decade, 2 and 5 of each are labelled too. Call it last."""
    panel.set_yscale("log")
    panel.set_ylabel("train loss")
    low, high = panel.get_ylim()
    if high < FEW * low:
        panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter(NullFormatter())


def legend(figure: Figure, labels: Sequence[str]) -> None:
    """Under the panels: each label once, and the dashes."""
    entries = [Line2D([], [], **look, label=name) for name, look in style.looks(labels).items()]
    style.legend_below(figure, [*entries, Line2D([], [], **style.THEORY, label="threshold")])


def alone(column: str, runs: Sequence[Run], labels: Sequence[str]) -> tuple[Figure, Axes]:
    """A figure of that one panel."""
    figure = style.new(height=2.2)
    panel = figure.subplots()
    against_threshold(panel, column, runs, labels)
    legend(figure, labels)
    return figure, panel


def plain(run: Run) -> bool:
    """Whether nothing preconditions: the sharpness is that of the loss itself."""
    rows = measured(run)
    return bool((rows["sharpness"] == rows["preconditioned_sharpness"]).all())
