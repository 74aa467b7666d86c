"""Tables of a stability sweep, made by hand from the closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from figure_runs import Make, decay

from aeos.results.read import Run, load
from aeos.results.schema import POINTS, TRAJECTORIES
from aeos.theory import stability

OPTIMIZER = {"name": "adam", "lr": 0.01, "weight_decay": 0.0, "eps": 0.0}

Change = Callable[[dict[str, Any]], dict[str, Any]]


def impulse(n: np.ndarray, beta: float, gamma: float) -> np.ndarray:
    """|uₙ| after a single gradient, at n = 0: √(1 − βⁿ⁺¹)/(1 − γⁿ⁺¹) · (1 − γ)γⁿ/√((1 − β)βⁿ)."""
    correction = np.sqrt(1 - beta ** (n + 1)) / (1 - gamma ** (n + 1))
    return correction * (1 - gamma) / np.sqrt(1 - beta) * (gamma / np.sqrt(beta)) ** n


def sweep_run(
    make: Make,
    name: str,
    curve: Any = None,
    seeds: int = 1,
    steps: int = 400,
    change: Change = lambda row: row,
    loss: Callable[[dict[str, Any], np.ndarray], Any] = lambda row, step: 0.3 + step / 1e4 - row["coefficient"],
    **settings: Any,
) -> Run:
    """make_run with points.csv and trajectories.csv: impulses along the section of the curve through Adam's default.

    `change` a point's row, `loss` gives its test loss at several steps; slopes where C > 0 are 0.001.
    """
    curve = stability.normal_curve(16, section=(-0.045, 0.045)) if curve is None else curve
    job: dict[str, Any] = {"steps": steps, "seeds": seeds, "batch_size": None, "noise": 0.0, "optimizer": OPTIMIZER}
    run = make(name, decay(), job="sweep_stability", **job | {"data": {"name": "digits", "n": 256}} | settings)
    points, trajectories = [], []
    for seed in range(seeds):
        for beta, gamma in np.asarray(curve).tolist():
            step = np.arange(0, steps + 1, 10)
            row = _point(beta, gamma, seed, steps)
            tested = loss(row, step) + 0.01 * seed
            row = change(row | {"best_test_loss": tested.min()})
            points.append(row)
            updates = np.where(step > 0, impulse(np.maximum(step - 1.0, 0), beta, gamma), np.nan)
            rows = {"beta": beta, "gamma": gamma, "seed": seed, "step": step, "max_update": updates}
            trajectories.append(pd.DataFrame(rows | {"train_loss": 1 / (1 + step), "test_loss": tested}))
    for table, columns, rows in (
        ("points", POINTS, pd.DataFrame(points)),
        ("trajectories", TRAJECTORIES, pd.concat(trajectories)),
    ):
        rows.reindex(columns=[column.name for column in columns]).to_csv(run.path / f"{table}.csv", index=False)
    return load(run.path)


def _point(beta: float, gamma: float, seed: int, steps: int) -> dict[str, Any]:
    c = float(stability.stability_coefficient(beta, gamma))
    n = np.arange(0.8 * steps, steps)
    slope = np.polyfit(n, np.log(impulse(n, beta, gamma)), 1)[0] if c < 0 else 0.001
    return {
        "beta": beta,
        "gamma": gamma,
        "seed": seed,
        "coefficient": c,
        "discrete_coefficient": float(stability.discrete_stability_coefficient(beta, gamma)),
        "status": "finished",
        "slope": slope,
        "slope_error": 1e-6,
        "fit_from": int(0.8 * steps),
        "fit_to": steps - 1,
        "bound_ratio": 1.0,
        "train_loss": 1e-9,
    }
