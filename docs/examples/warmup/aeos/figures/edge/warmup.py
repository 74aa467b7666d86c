"""A warm-up lowers the threshold while training goes on: the sharpness that has met it goes down with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.figure import Figure

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.lines import against_threshold, legend
from aeos.figures.edge.readings import at_the_edge, measured, ratio_axis
from aeos.figures.labels import labels as names
from aeos.results.read import Run

TABLES = ("sharpness",)
ROOM = 1.3  # times the largest sharpness is shown: thresholds begin far above it
FOLLOWS = 0.10  # of the factor by which the threshold falls; set after runs with warm-ups of 100 to 800 steps


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Sharpness and threshold against the step, then their ratio; a dot where the warm-up ends."""
    figure = style.new(height=2.1)
    left, right = panels = list(figure.subplots(1, 2))
    against_threshold(left, "sharpness", runs, labels)
    left.set_ylim(0, ROOM * max(measured(run)["sharpness"].max() for run in runs))
    look = style.looks(labels)
    for run, name in zip(runs, labels, strict=True):
        rows = measured(run)
        right.plot(rows["step"], rows["ratio"], **look[name])
        end = rows[rows["step"] == warmup(run)]
        for panel, column in ((left, "sharpness"), (right, "ratio")):
            panel.plot(end["step"], end[column], "o", color=look[name]["color"], zorder=4)
    ratio_axis(right, runs)
    style.letters(panels)
    legend(figure, labels)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Each run ends at its edge, having come down with the threshold; a slower one had been sharper when it met it."""
    found, sharpest = [], {}
    for run, name in zip(runs, names(runs), strict=True):
        found += at_the_edge(run, name)
        rows = measured(run)
        met, after = meeting(rows), rows[rows["step"] > warmup(run)].median(numeric_only=True)
        text = f"{name}: by what factor the sharpness comes down with the threshold once they met"
        fall, followed = after["threshold"] / met["threshold"], after["sharpness"] / met["sharpness"]
        found.append(Claim(text, fall, followed, FOLLOWS, "relative", "derived", set_after=True))
        sharpest[warmup(run)] = name, met["sharpness"]
    for (_, less), (name, more) in pairwise(sharpest[steps] for steps in sorted(sharpest)):
        text = f"{name}: sharpness where it meets the threshold, against that of the next shorter warm-up"
        found.append(Claim(text, less, more, 0.0, "at_least", "measured", set_after=True))
    return found


def warmup(run: Run) -> int:
    """Steps until the step size, and with it the threshold, is what it will be."""
    return int((run.config["schedule"] or {}).get("warmup", 0))


def meeting(rows: pd.DataFrame) -> pd.Series:
    """The first measurement at or above the threshold, step 0 aside, which no schedule has touched; else all nan."""
    reached = rows[(rows["step"] > 0) & (rows["ratio"] >= 1)]
    return reached.iloc[0] if len(reached) else pd.Series(math.nan, index=rows.columns)
