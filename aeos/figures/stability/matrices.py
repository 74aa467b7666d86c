"""What figures of scale-invariant matrices share: tables by matrix, the settings in the laws, how far off they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.results.read import Run
from aeos.theory.scale_invariance import momentum_factor

#: Looks and names of the laws of ‖W‖², and of directions integrated with the ‖W‖ of each.
LAWS: dict[str, dict[str, Any]] = {"published": {"color": style.COLOURS[1]}, "corrected": {"color": style.COLOURS[2]}}
TRUE: dict[str, Any] = {"color": style.COLOURS[0]}


class Settings(NamedTuple):
    """Of the optimizer and the run."""

    lr: float
    decay: float
    gamma: float
    steps: int

    @property
    def factor(self) -> float:
        """(1 + γ)/(1 − γ)"""
        return float(momentum_factor(self.gamma))

    @property
    def forgotten(self) -> bool:
        """Whether no more than a hundredth of ‖W₀‖² is left: e^(−2ληn) ≤ 0.01."""
        return 2 * self.lr * self.decay * self.steps >= np.log(100)


def settings(run: Run) -> Settings:
    optimizer = run.config["optimizer"]
    return Settings(
        float(optimizer["lr"]), float(optimizer["weight_decay"]), float(optimizer["beta1"]), int(run.config["steps"])
    )


def measured(run: Run, table: str = "scale_invariance") -> pd.DataFrame:
    """Its rows. Raises BadInput when there is none yet."""
    rows = run.table(table)
    if rows.empty:
        raise BadInput(f"{run.name}: no rows of {table} yet; wait for the first measurement")
    return rows


def by_matrix(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column a matrix, a row a step; matrices in the order of ‖W₀‖²."""
    first = rows[rows["step"] == rows["step"].min()].sort_values("squared_norm")
    return rows.pivot(index="step", columns="matrix", values=column)[list(first["matrix"])]


def late(table: pd.DataFrame) -> pd.DataFrame:
    """The last quarter of the steps, where ‖W₀‖² no longer counts in a run that has forgotten it."""
    return table[table.index >= 0.75 * table.index.max()]


def error(rows: pd.DataFrame, law: str) -> pd.DataFrame:
    """|law/true − 1| of ‖W‖², without step 0."""
    return (by_matrix(rows, law) / by_matrix(rows, "squared_norm") - 1).abs().iloc[1:]


def share(rows: pd.DataFrame, law: str, of: Settings) -> float:
    """Σ over matrices of ‖W‖² − e^(−2ληn)‖W₀‖² at the last step, what updates added: the law's over the true one."""
    added = {}
    for column in ("squared_norm", law):
        values = by_matrix(rows, column)
        left = np.exp(-2 * of.lr * of.decay * values.index[-1]) * values.iloc[0]
        added[column] = float((values.iloc[-1] - left).sum())
    return added[law] / added["squared_norm"]


def rms(table: pd.DataFrame) -> float:
    return float(np.sqrt(np.mean(np.square(table.to_numpy()))))


def spread(panel: Axes, table: pd.DataFrame, **look: Any) -> None:
    """Mean over matrices as a line, smallest to largest as a band."""
    panel.plot(table.index, table.mean(axis=1), **look)
    panel.fill_between(table.index, table.min(axis=1), table.max(axis=1), color=look["color"], alpha=0.2, linewidth=0)


def each(panel: Axes, table: pd.DataFrame) -> None:
    """A line a matrix, dark to light in their order."""
    for look, matrix in zip(style.sequential(range(table.shape[1])), table, strict=True):
        panel.plot(table.index, table[matrix], **look, linewidth=0.8)


def entry(count: int, what: str) -> Line2D:
    """The legend's line for `each`."""
    return Line2D([], [], **style.sequential(range(3))[1], label=f"{what} of {count} matrices")


def called(runs: Sequence[Run], labels: Sequence[str]) -> dict[str, Run]:
    """Runs by what sets them apart, in the order of their seeds; a run alone is called nothing."""
    named = [f"{label}, seed {run.config['seed']}" for run, label in zip(runs, labels, strict=True)]
    order = sorted(zip(named, runs, strict=True), key=lambda one: int(one[1].config["seed"]))
    return dict(order) if len(runs) > 1 else {"": runs[0]}


def about(name: str) -> str:
    """The beginning of a claim on that run."""
    return f"{name}: " if name else ""
