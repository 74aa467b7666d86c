"""Runs of an optimizer beside its flows, made by hand: a central flow that is right, another flow that leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from figure_runs import Make

from aeos.results.read import Run, load
from aeos.results.schema import DISTANCES, EIGENVALUES, METRICS, PREDICTIONS, SMOOTHED

Path = Callable[[np.ndarray], np.ndarray]  # of t, steps since the flows began

LR = {"gd": 0.5, "rmsprop": 0.01, "scalar_rmsprop": 0.02}


def swing(t: np.ndarray) -> np.ndarray:
    """Bursts that are one on average over its 50 steps."""
    return 1 + np.cos(2 * np.pi * t / 50)


#: rms distance from the optimizer; largest eigenvalue over threshold; train loss.
DISTANCE: dict[str, Path] = {
    "midpoint": lambda t: 0.01 * swing(t),
    "limit": lambda t: 0.02 + 1e-3 * t,
    "central_flow": lambda t: 0.011 * swing(t),
}
RATIO: dict[str, Path] = {
    "midpoint": lambda t: 1.02 - 0.01 * swing(t),
    "limit": lambda t: 1.02 + 0.01 * t,
    "central_flow": lambda t: np.where(t > 0, 1.0, 1.02),
}
LOSS: dict[str, Path] = {
    "optimizer": lambda t: 1 / (1 + t / 100) + 0.5 * swing(t),
    "midpoint": lambda t: 1 / (1 + t / 100),
    "limit": lambda t: 1 / (1 + t / 90),
    "central_flow": lambda t: 1 / (1 + t / 100),
}
#: predicted and measured.
AVERAGES: dict[str, tuple[Path, Path]] = {
    "train_loss": (lambda t: 1 / (1 + t / 100) + np.where(t > 0, 0.5, 50.0), LOSS["optimizer"]),
    "variance": (lambda t: np.where(t > 0, 0.2, 20.0), lambda t: 0.2 * swing(t)),
    "variance[1]": (lambda t: np.where(t > 0, 0.2, 20.0), lambda t: 0.2 * swing(t)),
}


def beside_run(
    make: Make,
    name: str = "a",
    optimizer: str = "gd",
    start: int = 300,
    steps: int = 100,
    distance: Mapping[str, Path] = DISTANCE,
    ratio: Mapping[str, Path] = RATIO,
    loss: Mapping[str, Path] = LOSS,
    averages: Mapping[str, tuple[Path, Path]] = AVERAGES,
    **settings: Any,
) -> Run:
    """A run whose flows begin at `start`; `limit` stands for the flow without oscillation. The second eigenvalue is
    0.9 of the largest.
    """
    lr, limit = LR[optimizer], "gradient_flow" if optimizer == "gd" else "stable_flow"
    names = {"optimizer": optimizer, "limit": limit}
    t = np.arange(steps + 1)
    chosen = {"name": optimizer, "lr": lr, "weight_decay": 0.0, "decoupled": True}
    run = make(name, [], job="flow_compare", optimizer=chosen, steps=start + steps, **settings)

    def table(file: str, columns: Any, parts: list[dict[str, Any]]) -> None:
        whole = pd.concat([pd.DataFrame({"step": start + t} | part) for part in parts])
        whole = whole.reindex(columns=[column.name for column in columns]).sort_values("step", kind="stable")
        whole.to_csv(run.path / f"{file}.csv", index=False)

    table("metrics", METRICS, [{"process": names.get(p, p), "lr": lr, "train_loss": f(t)} for p, f in loss.items()])
    rows = [{"process": names.get(p, p), "reference": optimizer, "distance": f(t)} for p, f in distance.items()]
    table("distances", DISTANCES, rows)
    operator = "hessian" if optimizer == "gd" else "preconditioned"
    rows = [
        {"process": names.get(p, p), "operator": operator, "index": i, "value": (1.1 - i / 10) * f(t) * 2 / lr}
        for p, f in ratio.items()
        for i in (1, 2)
    ]
    table("eigenvalues", EIGENVALUES, rows)
    rows = [
        {"process": "central_flow", "quantity": q, "predicted": f(t), "measured": g(t), "smoothed": g(t).mean()}
        for q, (f, g) in averages.items()
    ]
    table("predictions", PREDICTIONS, rows)
    table("smoothed", SMOOTHED, rows)
    return load(run.path)
