"""RMSprop's second moment beside the one at which it would come to rest where its parameters are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.flows.readings import look
from aeos.figures.labels import one
from aeos.results.read import Run

TABLES = ("rest",)
PANELS = {
    "cosine": r"$\cos(\sqrt{\nu}, \sqrt{\bar\nu})$",
    "ratio": r"$\|\sqrt{\nu}\| \, / \, \|\sqrt{\bar\nu}\|$",
    "critical": "critical directions",
}


def rows(run: Run) -> pd.DataFrame:
    """The finite rows of the midpoints, by step. Raises BadInput where there is none."""
    table = run.table("rest").query("process == 'midpoint'")
    table = table[np.isfinite(table["cosine"])].set_index("step")
    if table.empty:
        raise BadInput(
            f"{run.name}: nothing was measured at midpoints; set rest.every and have midpoint among its flows"
        )
    return table


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Cosine, ratio and number of critical directions against the step. Raises BadInput as `rows` does."""
    table = rows(one(runs))
    figure = style.new(height=1.9)
    panels = figure.subplots(1, 3)
    for panel, (column, label) in zip(panels, PANELS.items(), strict=True):
        panel.plot(table.index, table[column], **look("midpoint"), linewidth=1.2)
        if column != "critical":
            panel.axhline(1, **style.THEORY)
        panel.set_ylabel(label)
        panel.set_xlabel("step")
        style.steps_axis(panel)
    panels[1].set_ylim(bottom=0)
    panels[2].set_ylim(bottom=0)
    style.letters(panels)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """In the end the second moment is nearly at rest: in direction, and in size."""
    last = rows(one(runs)).tail(10)
    return [
        Claim("cosine, mean of the last 10 measurements", 1.0, float(last["cosine"].mean()), 0.05, set_after=True),
        Claim("ratio of norms, mean of them", 1.0, float(last["ratio"].mean()), 0.1, set_after=True),
    ]
