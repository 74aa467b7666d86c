"""Tables of self-stabilization along a run, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from figure_runs import Make, decay

from aeos.results.read import Run, load
from aeos.results.schema import SELF_STABILIZATION
from aeos.theory.self_stabilization import balance, trajectory

LR, ALPHA, BETA = 0.4, 0.03, 90.0
DELTA = float(balance(ALPHA, BETA))


def stabilizing_run(make: Make, name: str = "a", columns: dict[str, Any] | None = None, **settings: Any) -> Run:
    """make_run with a self_stabilization.csv of 250 steps, or as many as a column has; S = 2/η and x = δ throughout.

    The model is right: the step is along u, cosine and ratio are 1. Columns replace these; settings the config's.
    """
    columns = columns or {}
    size = max((len(value) for value in columns.values() if np.ndim(value)), default=250)
    made: dict[str, Any] = {"step": np.arange(size), "process": "gd", "threshold": 2 / LR, "sharpness": 2 / LR}
    made |= {"x": DELTA * (-1.0) ** np.arange(size), "second_sharpness": 1 / LR, "second_x": 0.0, "share": 1.0}
    made |= {"alpha": ALPHA, "beta": BETA, "delta": DELTA, "cosine": 1.0, "ratio": 1.0}
    made |= {"train_loss": 1 / (1 + np.arange(size)), "midpoint_loss": 0.0} | columns
    made.setdefault("projection", made["x"])
    gd = {"optimizer": {"name": "gd", "lr": LR}, "batch_size": None}
    run = make(name, decay(), job="sharpness", **gd | settings)
    table = pd.DataFrame(made).reindex(columns=[column.name for column in SELF_STABILIZATION])
    table.to_csv(run.path / "self_stabilization.csv", index=False)
    return load(run.path)


def on_the_map(x: float, y: float, steps: int, damping: float = 0.0) -> dict[str, Any]:
    """Columns of a run that is the map's own path from (x·δ, y). α = ALPHA·(1 + damping·m), m a mean of late x²/δ²."""
    xs, ys, alphas, late = [x * DELTA], [y], [], 0.0
    for _ in range(steps + 1):
        alphas.append(ALPHA * (1 + damping * late))
        late += 0.1 * ((xs[-1] / DELTA) ** 2 - late)
        path = trajectory(xs[-1], ys[-1], LR, alphas[-1], BETA, 1)
        xs.append(float(path.x[1]))
        ys.append(float(path.y[1]))
    alpha = np.array(alphas)
    columns = {"x": np.array(xs[:-1]), "sharpness": 2 / LR + np.array(ys[:-1]), "alpha": alpha}
    return columns | {"delta": balance(alpha, BETA)}
