"""What a finished run says of itself in a few numbers, read off its own table so that the two cannot disagree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def summarize(metrics: Path, diverged: Mapping[str, int]) -> dict[str, Any]:
    """status, and for each process its last row and its best held-out row; the only process's entries stand at the top.

    `diverged` maps processes to the step at which they blew up; `diverged_at` is null for the others.
    """
    import pandas as pd

    table = pd.read_csv(metrics)
    processes = {
        str(name): _process(rows, diverged.get(str(name))) for name, rows in table.groupby("process", sort=False)
    }
    status = "diverged" if diverged else "finished"
    if len(processes) == 1:
        return {"status": status, **next(iter(processes.values()))}
    return {"status": status, "processes": processes}


def _process(rows: Any, diverged_at: int | None) -> dict[str, Any]:
    last = rows.iloc[-1]
    entry: dict[str, Any] = {"steps": int(last["step"]), "diverged_at": diverged_at}
    for name in rows.columns.drop(["step", "process"]):
        if rows[name].notna().any():
            entry[name] = number(last[name])
    if rows["test_loss"].notna().any():
        best = rows.loc[rows["test_loss"].idxmin()]
        entry["best_test_loss"], entry["best_test_loss_step"] = float(best["test_loss"]), int(best["step"])
    return entry


def number(value: float) -> float | None:
    """What JSON can hold: None for what is no number."""
    return float(value) if math.isfinite(value) else None
