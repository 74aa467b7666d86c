"""Runs of `aeos sde-compare` near a minimum, made by hand: every process hovers as its recursion, or formula, says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from figure_runs import Make
from sde_runs import sde_run

from aeos.figures.sde import levels
from aeos.results.read import Run

QUADRATIC = {"name": "quadratic", "spectrum": [1.0, 2.0], "start": [1.0]}
USUAL = {"noise": 0.1, "substeps": 1, "kappa": 1.0, "kappa_decay": True, "problem": QUADRATIC}
MOMENTUM = {"beta1": 0.9, "beta2": 0.999}


def level_run(
    make: Make,
    name: str,
    optimizer: Mapping[str, Any],
    models: Sequence[str] = ("new",),
    scale: Mapping[str, float] | None = None,
    form: str = "exact",
    **settings: Any,
) -> Run:
    """A run whose averages are what `form` says of its processes, times `scale` of the process; errors of 0.1 %."""
    own = (MOMENTUM if optimizer["name"] == "adam" else {}) | dict(optimizer)
    means = {process: {"train_loss": [1e-4, 1e-4]} for process in (own["name"], *models)}
    run = sde_run(make, name, [0, 20], means, optimizer=own, **USUAL | settings)
    rows = []
    for process in means:
        x, y = levels.predicted(run, form, process) * (scale or {}).get(process, 1.0)
        if np.isfinite(x + y):  # else it diverged
            for quantity, value in (("theta[0]^2", x), ("theta[1]^2", y), ("train_loss", x / 2 + y)):
                rows.append({"process": process, "quantity": quantity, "mean": value, "error": value / 1000})
    pd.DataFrame(rows).assign(**{"from": 20, "to": 20}).to_csv(run.path / "averages.csv", index=False)
    return run
