"""Whole trajectories: the loss at the iterates, and under it the preconditioned sharpness with each run's threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.lines import against_threshold, legend, loss_axis
from aeos.figures.edge.readings import at_the_edge, measured, standing
from aeos.figures.labels import labels as names
from aeos.results.read import Run

TABLES = ("metrics", "sharpness")
THIN = 0.8  # what oscillates


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """The threshold of a run is dashed in its colour; in black where one label is alone."""
    look = style.looks(labels)
    figure = style.new(height=3.4)
    loss, sharp = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    for run, name in zip(runs, labels, strict=True):
        metrics = run.table("metrics")
        loss.plot(metrics["step"], metrics["train_loss"].astype(float), linewidth=THIN, **look[name])
    loss_axis(loss)
    against_threshold(sharp, "preconditioned_sharpness", runs, labels, linewidth=THIN)
    sharp.set_ylim(0, _top(runs))
    figure.align_ylabels()
    style.letters([loss, sharp])
    legend(figure, labels)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Every run at its edge; where each step was measured, its loss rises often and yet falls in the long run."""
    return [
        claim
        for run, name in zip(runs, names(runs), strict=True)
        for claim in [*at_the_edge(run, name), *long_run(run, name)]
    ]


def long_run(run: Run, label: str) -> list[Claim]:
    """At least 5 % of the steps raise the loss; its mean over the last tenth is below that over the second."""
    table = run.table("metrics")
    loss = table["train_loss"].to_numpy(dtype=float)
    if len(loss) < 20 or (np.diff(table["step"]) != 1).any():
        return []
    tenth = len(loss) // 10
    rises = float(np.mean(np.diff(loss) > 0))
    early, late = float(np.mean(loss[tenth : 2 * tenth])), float(np.mean(loss[-tenth:]))
    return [
        Claim(f"{label}: fraction of steps on which the loss rises", 0.05, rises, 0.0, "at_least", "measured", True),
        Claim(f"{label}: mean loss of the last tenth, at most that of the second", early, late, 0.0, "at_most"),
    ]


def _top(runs: Sequence[Run]) -> float:
    """Above every threshold, and above the largest that a run has once it came down to it."""
    tops = (float(measured(run)["threshold"].iloc[-1]) * max(1.0, standing(run).largest) for run in runs)
    return 1.08 * max(tops)
