"""One panel a setting: sharpness over threshold of every run beside the others, all against the same edge."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.readings import at_the_edge, measured, ratio_axis
from aeos.figures.labels import labels as names
from aeos.results.read import Run

TABLES = ("sharpness",)
ACROSS = 5


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Panels share their axes; runs of one label share a panel, which says their step size where its name does not."""
    groups: dict[str, list[Run]] = {}
    for run, label in zip(runs, labels, strict=True):
        groups.setdefault(label, []).append(run)
    down = math.ceil(len(groups) / ACROSS)
    across = math.ceil(len(groups) / down)
    figure = style.new(height=1.25 * down + 0.25)
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    panels = grid.flat
    for place, (panel, (label, group)) in enumerate(zip(panels, groups.items(), strict=False)):
        for run in group:
            rows = measured(run)
            panel.plot(rows["step"], rows["ratio"], color=style.COLOURS[0], linewidth=0.8)
        ratio_axis(panel, runs)
        panel.set_title(label.replace("_", " "), pad=3)
        lr = {run.config["optimizer"]["lr"] for run in group}
        if "lr=" not in label and len(lr) == 1:
            panel.text(0.95, 0.06, rf"$\eta = {lr.pop():g}$", transform=panel.transAxes, ha="right", fontsize=7)
        panel.tick_params(labelbottom=place + across >= len(groups))
        panel.label_outer(remove_inner_ticks=False)
        panel.set_xlabel("step" if place + across >= len(groups) else "")
    for panel in panels[len(groups) :]:
        panel.remove()
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Every run in its optimizer's window."""
    return [claim for run, name in zip(runs, names(runs), strict=True) for claim in at_the_edge(run, name)]
