"""Step sizes up to one too small: trajectories at several, of which the smallest is a control that meets no edge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aeos.figures.claims import Claim
from aeos.figures.edge import trajectory
from aeos.figures.edge.readings import at_the_edge, measured, standing
from aeos.figures.labels import labels as names
from aeos.results.read import Run

TABLES = trajectory.TABLES
draw = trajectory.draw


def claims(runs: Sequence[Run]) -> list[Claim]:
    """All but the run with the largest threshold at their edges; that one below it, and its loss never rises."""
    control = max(runs, key=lambda run: float(measured(run)["threshold"].iloc[-1]))
    found = []
    for run, name in zip(runs, names(runs), strict=True):
        found += _below(run, name) if run is control else at_the_edge(run, name)
    return found


def _below(run: Run, name: str) -> list[Claim]:
    loss = run.table("metrics")["train_loss"].to_numpy(dtype=float)
    rises = float(np.count_nonzero(np.diff(loss) > 0))
    return [
        Claim(
            f"{name}, the control: largest sharpness/threshold", 1.0, standing(run).largest, 0.0, "at_most", "measured"
        ),
        Claim(f"{name}, the control: measurements at which its loss has risen", 0.0, rises, 0.0, "at_most", "derived"),
    ]
