"""Runs of SignSGD and SGD on a quadratic, made by hand: moments and averages of the exact law, paths at quantiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from figure_runs import Make
from scipy import stats
from sde_runs import sde_run

from aeos.figures.sde.walks import Setting, exact
from aeos.results.read import Run, load
from aeos.results.schema import AVERAGES, PATHS
from aeos.theory import sde

Change = Callable[[str, str, np.ndarray], np.ndarray]

#: What `change` is where nothing is to be changed.
TRUE: Change = lambda process, quantity, values: values  # noqa: E731


def walk_run(
    make: Make,
    name: str,
    steps: int = 2000,
    start: float = 0.5,
    spectrum: Sequence[float] = (1.0, 2.0),
    nu: float | None = None,
    every: int = 10,
    change: Change = TRUE,
    law: Callable[[Setting, int, np.ndarray], tuple[np.ndarray, np.ndarray]] = exact,
    lr: float = 1e-3,
    **settings: Any,
) -> Run:
    """SignSGD and an SDE that has its very law; `change(process, quantity, values)` gives other means."""
    lam, step = list(spectrum), np.arange(0, steps + 1, every)
    setting = Setting(lam, [start] * len(lam), 0.1, nu or np.inf, lr)
    powers = [law(setting, i, step) for i in range(len(lam))]
    quantities = {"train_loss": sum(h * second / 2 for h, (_, second) in zip(lam, powers, strict=True))}
    for i, (mean, second) in enumerate(powers):
        quantities |= {f"theta[{i}]": mean, f"theta[{i}]^2": second}
    means = {p: {q: change(p, q, values) for q, values in quantities.items()} for p in ("signsgd", "new")}
    problem = {"name": "quadratic", "spectrum": lam, "start": [start]}
    job = {"problem": problem, "noise": 0.1, "nu": nu, "substeps": 4, "schedule": {"name": "constant"}, "steps": steps}
    run = sde_run(make, name, step, means, 1e-9, optimizer={"lr": lr}, **job | settings)
    late = step >= steps / 2
    rows = [
        {
            "process": p,
            "quantity": q,
            "mean": values[late].mean(),
            "error": 1e-3 * values[late].mean(),
            "from": steps / 2,
            "to": steps,
        }
        for p, found in means.items()
        for q, values in found.items()
    ]
    _write(run, "averages", AVERAGES, rows)
    widths = [np.sqrt(second[-1]) for _, second in powers]
    return _with_paths(run, "signsgd", [width * stats.norm.ppf(_levels(i)) for i, width in enumerate(widths)], steps)


def sgd_run(make: Make, name: str, nu: float | None, lr: float = 1e-2, share: float = 1.0, count: int = 4096) -> Run:
    """SGD on ½(x₁² + 2x₂²) under Student-t noise: levels that exist, times `share`; for ν = 1 paths of Cauchy's law."""
    lam, kind = np.array([1.0, 2.0]), np.inf if nu is None else nu
    level = share * float(sde.stationary_loss("gd", lam, 0.1, lr, nu=kind, form="corrected")) if kind > 2 else 1.0
    step = np.arange(0, 801, 100)
    problem = {"name": "quadratic", "spectrum": [1.0, 2.0], "start": [0.02]}
    job = {"problem": problem, "noise": 0.1, "nu": nu, "schedule": {"name": "constant"}}
    run = sde_run(
        make, name, step, {"gd": {"train_loss": np.full(len(step), level)}}, 1e-6, optimizer={"lr": lr}, **job
    )
    row = {"process": "gd", "quantity": "train_loss", "mean": level, "error": level / 100, "from": 400, "to": 800}
    _write(run, "averages", AVERAGES, [row])
    law = stats.t(kind) if nu else stats.norm()
    return _with_paths(run, "gd", [share * 0.1 / h * law.ppf(_levels(i, count)) for i, h in enumerate(lam)], 800)


def _levels(seed: int, count: int = 512) -> np.ndarray:
    """(k + ½)/count in an order without pattern."""
    return (np.random.default_rng(seed).permutation(count) + 0.5) / count


def _with_paths(run: Run, process: str, values: Sequence[np.ndarray], step: int) -> Run:
    rows = [
        {"step": step, "process": process, "path": path, "quantity": f"theta[{i}]", "value": value}
        for i, each in enumerate(values)
        for path, value in enumerate(each)
    ]
    _write(run, "paths", PATHS, rows)
    return load(run.path)


def _write(run: Run, table: str, columns: Any, rows: Any) -> None:
    pd.DataFrame(rows).reindex(columns=[column.name for column in columns]).to_csv(
        run.path / f"{table}.csv", index=False
    )
