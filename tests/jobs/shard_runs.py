"""Small sweeps in shards, beside the tables that one process alone leaves."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from aeos.results.schema import TABLES
from tests.conftest import Said

#: Four blocks: two of each seed, so that a shard has blocks of either.
WORDS = ("sweep-stability", "curve.points=6", "seeds=2", "data.n=40", "data.test=20", "model.width=4", "steps=12",
         "every=4", "block=3", "workers=0", "checkpoint_seconds=0.05")  # fmt: skip


def run_folder(there: Path) -> Path:
    (folder,) = there.glob("outputs/sweep_stability/*")
    return folder


def shards(aeos: Callable[..., Said], of: int, numbers: range | None = None, *words: str) -> list[Said]:
    """Those shards one after the other, each of which must end well."""
    said = [aeos(*WORDS, f"shards={of}", f"shard={k}", *words) for k in (numbers or range(of))]
    assert {(one.code, one.err) for one in said} == {(0, "")}
    return said


def tables(folder: Path) -> dict[str, list[list[str]]]:
    """The rows of points.csv and trajectories.csv as they stand, clock columns left out."""
    found = {}
    for name in ("points", "trajectories"):
        clock = {column.name for column in TABLES[name] if column.clock}
        with (folder / f"{name}.csv").open(newline="") as lines:
            found[name] = [[cell for key, cell in row.items() if key not in clock] for row in csv.DictReader(lines)]
    return found


def computed(folder: Path) -> list[str]:
    """Points in the order in which the logs of all processes say that they were computed."""
    logs = [file.read_text() for file in sorted(folder.glob("**/run.log"))]
    lines = [line.partition("computed ")[2] for log in logs for line in log.splitlines() if "computed " in line]
    return [point for line in lines for point in line.split("; ")]
