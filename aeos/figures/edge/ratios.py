"""Train loss, and sharpness over threshold, of runs whose thresholds need not be of one size."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.lines import loss_axis
from aeos.figures.edge.readings import at_the_edge, measured, ratio_axis, step_axis
from aeos.figures.labels import labels as names
from aeos.results.read import Run

TABLES = ("sharpness",)


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Left the loss where the sharpness was measured, right the ratio, the edge dashed."""
    look = style.looks(labels)
    figure = style.new(height=2.1)
    loss, ratio = figure.subplots(1, 2)
    for run, name in zip(runs, labels, strict=True):
        rows = measured(run)
        loss.plot(rows["step"], rows["train_loss"], linewidth=0.9, **look[name])
        ratio.plot(rows["step"], rows["ratio"], linewidth=0.9, **look[name])
    loss_axis(loss)
    step_axis(loss)
    ratio_axis(ratio, runs)
    style.letters([loss, ratio])
    style.legend_below(figure, [Line2D([], [], **look[name], label=name) for name in look])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Every run in its optimizer's window."""
    return [claim for run, name in zip(runs, names(runs), strict=True) for claim in at_the_edge(run, name)]
