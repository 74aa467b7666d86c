"""Tables of runs, made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aeos.results.read import Run
from aeos.results.schema import METRICS

Make = Callable[..., Run]
Rows = Sequence[Mapping[str, Any]]


def decay(steps: int = 50, rate: float = 0.05, start: float = 2.0) -> Rows:
    """loss 2·e^(−rate·step) of an analytic problem, measured every 10 steps."""
    return [
        {
            "step": s,
            "train_loss": start * 2.718281828 ** (-rate * s),
            "grad_norm": start / (1 + s),
            "max_update": 0.1 if s else None,
        }
        for s in range(0, steps + 1, 10)
    ]


def blow_up(steps: int = 50) -> Rows:
    """loss 2·10^(3·step) until it is not a number any more, at `steps`."""
    rows: list[dict[str, Any]] = [
        {"step": s, "train_loss": 2.0 * 10.0 ** (0.3 * s), "grad_norm": 1.0 + s} for s in range(0, steps, 10)
    ]
    return [*rows, {"step": steps, "train_loss": float("nan"), "grad_norm": float("inf")}]


def csv(rows: Rows) -> str:
    names = [column.name for column in METRICS]
    lines = [",".join("" if row.get(name) is None else str(row[name]) for name in names) for row in rows]
    return "\n".join([",".join(names), *lines]) + "\n"
