"""Points that other runs of the same settings have already."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from aeos.errors import BadInput
from aeos.jobs.sweep.block import Rows
from aeos.jobs.sweep.points import Point, read_rows
from aeos.results.folder import RunFolder
from aeos.results.identity import resolved
from aeos.results.read import NOT_IDENTITY, flatten, load

BESIDE = NOT_IDENTITY | {"seed", "seeds", "optimizer.beta1", "optimizer.beta2"}  # what a point has of its own


def elsewhere(config: DictConfig, folder: RunFolder, wanted: Collection[Point]) -> Iterator[tuple[Path, Rows]]:
    """(run, rows of wanted points) from other sweeps that differ in nothing but which points and seeds they visit.

    Of a run that is still going on, or was killed, only points that it has finished: their rows in points.csv come
    after all their others.
    """
    left, ours = set(wanted), _settings(resolved(config))
    data = json.loads((folder.path / "env.json").read_text())["data"]
    for file in sorted(folder.path.parent.glob("*/points.csv")):
        if not left or file.parent.resolve() == folder.path.resolve() or config.force:
            continue
        try:
            run = load(file.parent)
        except BadInput:
            continue
        if _settings(run.config) == ours and run.env.get("data") == data:
            taken = {Point.of(row) for row in read_rows(file)} & left
            left -= taken
            if taken:
                yield run.path, {name: _of(taken, file.with_name(f"{name}.csv")) for name in ("trajectories", "points")}


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """All that defines a point's numbers, the point itself aside."""
    return {k: v for k, v in flatten(config).items() if k not in BESIDE and not k.startswith("curve.")}


def _of(points: Collection[Point], file: Path) -> list[dict[str, Any]]:
    return [row for row in read_rows(file) if Point.of(row) in points]
