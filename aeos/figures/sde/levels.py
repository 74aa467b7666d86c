"""How widely the processes of a run hover about the minimum of its quadratic: as measured, and as predicted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from aeos.errors import BadInput
from aeos.figures.sde.readings import LOSS, processes
from aeos.figures.sde.walks import averaged
from aeos.results.read import Run
from aeos.theory.sde import adam_variance, rescale, stationary_variance

HALVINGS = 50  # of the interval that P is in
ERRORS = 2  # standard errors that bars show either way


def settings(run: Run) -> dict[str, float]:
    """lr, noise, weight_decay, beta1 (0 where there is none) as the run used them: after rho1 and the scaling rule."""
    config, optimizer = run.config, run.config["optimizer"]
    used = {"lr": optimizer["lr"], "noise": config["noise"], "weight_decay": optimizer["weight_decay"]}
    used["beta1"] = optimizer.get("beta1", 1.0)  # 1, no average at all, is what the rule leaves alone
    if config.get("rho1") is not None:
        used["beta1"] = 1 - used["lr"] * config["rho1"]
    if (kappa := config.get("kappa", 1.0)) != 1:
        scaled = rescale(kappa, **used, batch_size=1, beta2=1.0, eps=0.0)
        kept = {} if config["kappa_decay"] else {"weight_decay": used["weight_decay"]}
        used = {key: scaled[key] for key in used} | kept
    return used if "beta1" in optimizer else used | {"beta1": 0.0}


def spectrum(run: Run) -> np.ndarray:
    """λ of each coordinate, (d,). Raises BadInput when the run's problem is no quadratic."""
    problem = run.config["problem"] or {}
    if problem.get("name") != "quadratic":
        raise BadInput(f"{run.name}: levels are known on problem=quadratic; give runs of it")
    return np.asarray(problem["spectrum"], dtype=float)


def level(run: Run, process: str | None = None, i: int | None = None) -> tuple[float, float]:
    """E θᵢ², or E f where i is None, over time and paths, and its standard error; `process` None is the optimizer

    Infinite where an SDE diverged. Raises BadInput before the run's end.
    """
    optimizer = processes(run)[0]
    process = process or optimizer
    if process != optimizer and process not in set(run.table("averages")["process"]):
        return math.inf, 0.0
    row = averaged(run, process, LOSS if i is None else f"theta[{i}]^2")
    return float(row["mean"]), float(row["error"])


def predicted(run: Run, form: str, process: str | None = None) -> np.ndarray:
    """Var Xᵢ of each coordinate, (d,): `paper` and `corrected` as in theory, `exact` for this very process

    exact: of the linear recursion that the optimizer, or Euler and Maruyama's method, is with P held at its mean,
    P² = s² + λ²Var, or s for the prior SDE; `process` None is the optimizer. For rmsprop and adam only.
    """
    lam, optimizer = spectrum(run), run.config["optimizer"]
    used, decoupled = settings(run), optimizer.get("decoupled", True)
    if form == "exact":
        return _exact(run, lam, process)
    name = optimizer["name"]
    how: dict[str, Any] = {"weight_decay": used["weight_decay"], "beta1": used["beta1"], "decoupled": decoupled}
    return stationary_variance(name, lam, used["noise"], used["lr"], form=form, **how)  # type: ignore[return-value]


def loss(run: Run, form: str, process: str | None = None) -> float:
    """½ Σ λᵢ Var Xᵢ"""
    return float(np.sum(spectrum(run) * predicted(run, form, process)) / 2)


def _exact(run: Run, lam: np.ndarray, process: str | None) -> np.ndarray:
    used, optimizer = settings(run), run.config["optimizer"]
    s, lr, theta = used["noise"], used["lr"], used["weight_decay"]
    if not optimizer.get("decoupled", True):
        lam, theta = lam + theta, 0.0
    how: dict[str, Any] = {"beta1": used["beta1"], "weight_decay": theta}
    scale = s
    if process not in (None, optimizer["name"]):
        h = 1 / run.config.get("substeps", 1)
        if optimizer["name"] == "adam":
            how |= {"process": "lagged" if process == "prior" else process, "dt": lr * h}
        else:  # a substep is a step of the optimizer's, but shorter
            lr, scale = lr * h, s / math.sqrt(h)
    if process == "prior":
        return np.asarray(adam_variance(lam, scale, lr, preconditioner=s, **how))
    low, high = np.full(len(lam), s), s + 10 * used["lr"] * lam
    for _ in range(HALVINGS):
        p = (low + high) / 2
        wide = s**2 + lam**2 * np.asarray(adam_variance(lam, scale, lr, preconditioner=p, **how)) > p**2
        low, high = np.where(wide, p, low), np.where(wide, high, p)
    return np.asarray(adam_variance(lam, scale, lr, preconditioner=high, **how))


def bars(panel: Axes, x: Any, mean: Any, error: Any, look: dict[str, Any], hollow: bool = False) -> None:
    """A dot a measurement, and two standard errors either way."""
    face = "none" if hollow else look["color"]
    panel.errorbar(
        x,
        mean,
        ERRORS * np.asarray(error),
        fmt=look.get("marker", "o"),
        color=look["color"],
        markerfacecolor=face,
        markersize=3.4,
        markeredgewidth=0.8,
        elinewidth=0.7,
        zorder=4,
    )
