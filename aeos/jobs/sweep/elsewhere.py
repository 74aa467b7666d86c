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
from aeos.jobs.sweep.shards import finished
from aeos.results.folder import RunFolder
from aeos.results.identity import resolved
from aeos.results.read import NOT_IDENTITY, identity, load

BESIDE = NOT_IDENTITY | {"seed", "seeds", "optimizer.beta1", "optimizer.beta2"}  # what a point has of its own


def elsewhere(config: DictConfig, folder: RunFolder, wanted: Collection[Point]) -> Iterator[tuple[Path, Rows]]:
    """(run, rows of wanted points) from other sweeps that differ in nothing but which points and seeds they visit.

    Of a run that is still going on, was killed, or damaged, only points whose rows its checkpoint vouches for.
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
            taken = finished(run.path, run.path) & left
            left -= taken
            if taken:
                yield run.path, rows_of(taken, run.path)


def rows_of(points: Collection[Point], place: Path) -> Rows:
    """All that the tables there have of these points."""
    return {
        name: [row for row in read_rows(place / f"{name}.csv") if Point.of(row) in points]
        for name in ("trajectories", "points")
    }


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """All that defines a point's numbers, the point itself aside."""
    return {k: v for k, v in identity(config).items() if k not in BESIDE and not k.startswith("curve.")}
