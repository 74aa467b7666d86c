"""Full-batch sharpness under minibatches: it settles below the threshold, the further the smaller the batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.readings import at_the_edge, measured, ratio_axis, standing
from aeos.results.read import Run

TABLES = ("sharpness",)

Groups = dict[str, list[Run]]


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """The ratio against the step, one panel an optimizer; then its median over the last half against the batch size."""
    groups = by_optimizer(runs)
    sizes = sorted({batch_size(run) for run in runs})
    look = dict(zip(sizes, style.sequential(sizes), strict=True))
    figure = style.new(height=2.0)
    panels = list(figure.subplots(1, len(groups) + 1, sharey=True, squeeze=False).flat)
    for panel, (name, group) in zip(panels, groups.items(), strict=False):
        for run in reversed(group):
            rows = measured(run)
            panel.plot(rows["step"], rows["ratio"], **look[batch_size(run)], linewidth=0.8)
        ratio_axis(panel, runs)
        panel.set_title(name)
    for panel in panels[1:]:
        panel.set_ylabel("")
    _medians(panels[-1], groups)
    style.letters(panels)
    full = {batch_size(run) for run in runs if run.config["batch_size"] is None}
    names = [f"full batch ({size})" if size in full else f"batch size {size}" for size in sizes]
    handles = [Line2D([], [], **look[size], label=name) for size, name in zip(sizes, names, strict=True)]
    style.legend_below(figure, [*handles, Line2D([], [], **style.THEORY, label="threshold")])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Of every optimizer: the median grows with the batch, from below the threshold to its window at the full one."""
    found = []
    for name, group in by_optimizer(runs).items():
        medians = [standing(run).median for run in group]
        text = "{}: median of sharpness/threshold at batch size {}"
        found.append(Claim(text.format(name, batch_size(group[0])) + " is below 1", 1.0, medians[0], 0.0, "at_most"))
        for (small, less), (large, more) in pairwise(zip(group, medians, strict=True)):
            says = f"{text.format(name, batch_size(large))} is at least that at {batch_size(small)}"
            found.append(Claim(says, less, more, 0.0, "at_least"))
        if group[-1].config["batch_size"] is None:
            found += at_the_edge(group[-1], f"{name}, full batch")
    return found


def batch_size(run: Run) -> int:
    """The full batch's is the number of samples."""
    return int(run.config["batch_size"] or run.config["data"]["n"])


def by_optimizer(runs: Sequence[Run]) -> Groups:
    """The runs of each optimizer, smallest batch first."""
    names = dict.fromkeys(str(run.config["optimizer"]["name"]) for run in runs)
    return {
        name: sorted((run for run in runs if run.config["optimizer"]["name"] == name), key=batch_size) for name in names
    }


def _medians(panel: Axes, groups: Groups) -> None:
    panel.axhline(1, **style.THEORY)
    for marker, (name, group) in zip("os^Dv", groups.items(), strict=False):
        stood = [standing(run) for run in group]
        medians = [one.median for one in stood]
        spread = [[one.median - one.low for one in stood], [one.high - one.median for one in stood]]
        sizes = [batch_size(run) for run in group]
        panel.errorbar(sizes, medians, spread, marker=marker, color="0.35", linewidth=0.8, markersize=3.5, label=name)
    sizes_axis(panel, [batch_size(run) for group in groups.values() for run in group])
    panel.legend(loc="lower right")


def sizes_axis(panel: Axes, sizes: Iterable[int]) -> None:
    """Logarithmic, with a tick at each size."""
    ticks = sorted(set(sizes))
    panel.set_xscale("log", base=2)
    panel.set_xticks(ticks, [str(size) for size in ticks])
    panel.minorticks_off()
    panel.set_xlabel("batch size")
