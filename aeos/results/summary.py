"""What a finished run says of itself in a few numbers, read off its own table so that the two cannot disagree."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Process:
    """Of one process' rows of metrics.csv, one after the other: the last, the best held-out one, what was measured."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {}
        self.best: dict[str, float] = {"test_loss": math.inf}
        self.measured: set[str] = set()

    def take(self, row: dict[str, float]) -> None:
        self.last = row
        self.measured |= {name for name, value in row.items() if not math.isnan(value)}
        if row["test_loss"] < self.best["test_loss"]:
            self.best = row

    def entry(self, diverged_at: int | None) -> dict[str, Any]:
        entry: dict[str, Any] = {"steps": int(self.last["step"]), "diverged_at": diverged_at}
        entry |= {name: number(self.last[name]) for name in self.last if name in self.measured - {"step"}}
        if "step" in self.best:
            entry["best_test_loss"], entry["best_test_loss_step"] = self.best["test_loss"], int(self.best["step"])
        return entry


def summarize(metrics: Path, diverged: Mapping[str, int]) -> dict[str, Any]:
    """status, and for each process its last row and its best held-out row; the only process's entries stand at the top.

    `diverged` maps processes to the step at which they blew up; `diverged_at` is null for the others.
    """
    processes: dict[str, Process] = {}
    with metrics.open(newline="") as file:
        for texts in csv.DictReader(file):
            process = processes.setdefault(texts.pop("process"), Process())
            process.take({name: float(text or "nan") for name, text in texts.items()})
    entries = {name: process.entry(diverged.get(name)) for name, process in processes.items()}
    status = "diverged" if diverged else "finished"
    if len(entries) == 1:
        return {"status": status, **next(iter(entries.values()))}
    return {"status": status, "processes": entries}


def number(value: float) -> float | None:
    """What JSON can hold: None for what is no number."""
    return float(value) if math.isfinite(value) else None
