"""Runs of SignSGD or SGD on a quadratic: their setting, what their tables say, and the exact law beside them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from aeos.errors import BadInput
from aeos.results.read import Run
from aeos.theory import sde


class Setting(NamedTuple):
    """A quadratic ½ Σ λᵢxᵢ², one entry of `curvature` and of `start` a coordinate, and the noise of its gradients."""

    curvature: list[float]
    start: list[float]
    noise: float
    nu: float
    lr: float


def quadratic(run: Run, *optimizers: str) -> Setting:
    """The setting of a run of one of these optimizers. Raises BadInput where it is another one, or no quadratic."""
    problem, name = run.config["problem"], run.config["optimizer"]["name"]
    fits = run.job == "sde_compare" and name in optimizers and problem["name"] == "quadratic"
    if not fits or problem["start"] is None:
        chosen = " or ".join(optimizers)
        raise BadInput(
            f"{run.name}: this figure needs a run of sde-compare, optimizer={chosen}, problem=quadratic with a start"
        )
    start, nu = problem["start"], run.config["nu"]
    start = start * len(problem["spectrum"]) if len(start) == 1 else start
    return Setting(problem["spectrum"], start, run.config["noise"], math.inf if nu is None else nu, clock(run))


def clock(run: Run) -> float:
    """t = clock·step: the learning rate, as the scaling rule left it, before any schedule."""
    return float(run.config["optimizer"]["lr"] * run.config["kappa"])


def series(run: Run, process: str, quantity: str) -> pd.DataFrame:
    """The rows of moments.csv, by time: t, step, mean, error, variance, variance_error. Raises BadInput for none."""
    rows = run.table("moments").query("process == @process and quantity == @quantity")
    if rows.empty:
        raise BadInput(f"{run.name}: no rows of {quantity} of {process} yet; wait for the first measurement")
    return rows.assign(t=rows["step"] * clock(run)).reset_index(drop=True)


def averaged(run: Run, process: str, quantity: str) -> pd.Series:
    """The row of averages.csv: mean, error, from, to. Raises BadInput when there is none."""
    rows = run.table("averages").query("process == @process and quantity == @quantity")
    if rows.empty:
        raise BadInput(f"{run.name}: no time average of {quantity} of {process} yet; wait for the run's end")
    return rows.iloc[0]


def ends(run: Run, process: str, quantity: str) -> np.ndarray:
    """(paths,): where each of them is at the last observed step."""
    rows = run.table("paths").query("process == @process and quantity == @quantity")
    return rows.loc[rows["step"] == rows["step"].max(), "value"].to_numpy()


def exact(setting: Setting, i: int, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E X and E X² of coordinate i of SignSGD after each of so many steps, (len(steps),) each, from its exact law"""
    lam, start, counts = setting.curvature[i], setting.start[i], np.asarray(steps).tolist()
    sites, laws = sde.lattice_law(lambda x: lam * x, start, setting.noise, setting.lr, counts, setting.nu)
    return laws @ sites, laws @ sites**2
