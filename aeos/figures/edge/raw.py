"""The sharpness itself where an optimizer preconditions: it knows nothing of the threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.lines import alone
from aeos.figures.edge.readings import measured
from aeos.figures.labels import labels as names
from aeos.results.read import Run

TABLES = ("sharpness",)
APART = 0.1  # a median nearer to 1 than this would be a pattern


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """λ₁(H) of each run against the step, on a logarithmic axis that holds its threshold as well."""
    figure, panel = alone("sharpness", runs, labels)
    panel.set_yscale("log")
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The median of λ₁(H)/threshold over the last half is not within 10 % of 1."""
    found = []
    for run, name in zip(runs, names(runs), strict=True):
        rows = measured(run)
        half = rows[len(rows) // 2 :]
        distance = abs(float(np.median(half["sharpness"] / half["threshold"])) - 1)
        text = f"{name}: how far from 1 the median of λ₁(H)/threshold lies"
        found.append(Claim(text, APART, distance, 0.0, "at_least", "derived"))
    return found
