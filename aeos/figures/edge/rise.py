"""Progressive sharpening: the sharpness of a run rises until it meets its threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.lines import alone
from aeos.figures.edge.readings import measured, standing
from aeos.figures.labels import labels as names
from aeos.results.read import Run

TABLES = ("sharpness",)
BACK = 0.05  # of the threshold: how far a rise may fall back


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """The preconditioned sharpness of each run against the step, its threshold dashed."""
    figure, panel = alone("preconditioned_sharpness", runs, labels)
    panel.set_ylim(bottom=0)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """From its smallest value on, the ratio does not fall back by more than 5 % before it is 1; and it gets there."""
    found = []
    for run, name in zip(runs, names(runs), strict=True):
        ratio, first = measured(run)["ratio"].to_numpy(), standing(run).first
        crossed = np.flatnonzero(ratio >= 1)
        rise = ratio[: crossed[0] + 1] if len(crossed) else ratio
        rise = rise[int(rise.argmin()) :]
        fallen = float((np.maximum.accumulate(rise) - rise).max())
        reached = math.nan if first is None else float(first)
        text = f"{name}: how far sharpness/threshold, while it rises from its smallest value to 1, falls back"
        found += [
            Claim(text, 0.0, fallen, BACK, "at_most"),
            Claim(f"{name}: step at which it is 1", 180.0, reached, 0.0, "at_most", "measured", set_after=True),
        ]
    return found
