"""Gradient descent on networks of several kinds, each beside its central flow and gradient flow."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.flows.averages import mean_of
from aeos.figures.flows.panels import CENTRAL, RAW, entries, losses, spectrum
from aeos.figures.flows.readings import criticality, distance, limit, look, optimizer
from aeos.figures.labels import network
from aeos.results.read import Run

TABLES = ("metrics", "distances", "eigenvalues", "predictions", "smoothed")

LAST = 50  # observed steps at the end over which distances are averaged
SHARE = 0.4  # of gradient flow's distance: how far the central flow may be
UNIT = 1e-3  # of the axes of distances
ABOVE = 1.6  # times the threshold: up to where eigenvalues are shown


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """A row a run: its loss, its eigenvalues over their threshold, distances from its midpoints.

    Raises BadInput where a run lacks midpoints, gradient flow or a central flow.
    """
    figure = style.new(height=0.4 + 1.0 * len(runs))
    grid = figure.subplots(len(runs), 3, squeeze=False, sharex="row")
    for run, (loss, sharp, apart) in zip(runs, grid, strict=True):
        losses(loss, run)
        spectrum(sharp, run)
        sharp.set_ylim(top=min(sharp.get_ylim()[1], ABOVE))
        _apart(apart, run)
        loss.set_ylabel(network(run))
        for panel in (loss, sharp, apart):
            style.steps_axis(panel)
            if panel is not loss:
                panel.set_ylabel("")
    for panel, name in zip(
        grid[0], ("train loss", "eigenvalues / threshold", r"distance from midpoints ($10^{-3}$)"), strict=True
    ):
        panel.set_title(name)
    for panel in grid[-1]:
        panel.set_xlabel("step")
    figure.align_ylabels()
    style.legend_below(figure, entries(runs))
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """On each network the central flow stays nearer to the midpoints than gradient flow and says what loss and variance
    are on average.
    """
    found = []
    for run in runs:
        start = f"{network(run)}: "
        near, far = (float(distance(run, name, "midpoint")[-LAST:].mean()) for name in (CENTRAL, limit(run)))
        worst = float((criticality(run, CENTRAL).iloc[1:] - 1).max())
        text = f"{start}distance of the central flow from the midpoints over that of gradient flow, last {LAST} steps"
        found.append(Claim(text, SHARE, near / far, 0.0, "at_most", "measured", set_after=True))
        text = f"{start}central flow's largest eigenvalue over threshold, at most, less 1"
        found.append(Claim(text, 0.0, worst, 1e-3, "at_most", "derived"))
        found += [mean_of(run, "train_loss", 0.1, start), mean_of(run, "variance", 0.2, start)]
    return found


def _apart(panel: Axes, run: Run) -> None:
    """Of the flows, and of the optimizer itself, whose swing it is."""
    for process in (optimizer(run), limit(run), CENTRAL):
        values = distance(run, process, "midpoint") / UNIT
        panel.plot(values.index, values, **look(process) | (RAW if process == optimizer(run) else {}))
    panel.set_ylim(bottom=0)
