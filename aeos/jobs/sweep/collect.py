"""Shards of a sweep put together: the tables, the checkpoint and the summary that one process alone would have left."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from aeos.errors import BadInput
from aeos.jobs.sweep.points import Point, blocks, points
from aeos.jobs.sweep.shards import BLOCK, finished
from aeos.jobs.sweep.summary import sentence, summarize
from aeos.results import atomic
from aeos.results.lock import held
from aeos.results.parts import PARTS, agreed, agreeing, parts
from aeos.results.read import Run
from aeos.results.recorder import Recorder
from aeos.results.schema import TABLES
from aeos.results.union import union

Rows = dict[
    str, list[dict[str, Any]]
]  # by table, trajectories first: a row of points.csv says that all others are there


def collect(run: Run) -> bool:
    """Merge what the shards of this run have into its own tables, in the order of the curve; True once it is finished.

    Nothing is lost by a kill: shards keep their rows until the run is finished, and while its own tables are replaced
    a checkpointed copy lies beside them. Raises BadInput, and changes nothing, when two rows of one point disagree, or
    while the run is being written by a process without shards.
    """
    if run.job != "sweep_stability":
        raise BadInput(f"{run.path} has no shards; with --to FOLDER its tables are put together with other runs'")
    config, wanted = _wanted(run)
    with held(run.path):
        found = merged(run.path, wanted, config.steps)
        lacking = len(wanted) - len(found["points"])
        if run.finished and not lacking:
            print(f"{run.path}: finished already")
        else:
            with atomic.writing(run.path):
                _replace(run.path, found)
            if lacking:
                print(f"{run.path}: {lacking} of {len(wanted)} points are missing; this continues:\n  {command(run)}")
                return False
            _finish(run.path, config, wanted)
        with atomic.writing(run.path):
            _clean(run.path)
    return True


def _wanted(run: Run) -> tuple[DictConfig, list[Point]]:
    try:
        config = OmegaConf.create(run.config)
        if isinstance(config.steps, int) and all(isinstance(key, str) for key in run.config):
            return config, points(config)
        raise TypeError
    except (OmegaConfBaseException, AttributeError, TypeError, ValueError) as error:
        raise BadInput(f"{run.path / 'config.yaml'} does not hold the settings of a sweep") from error


def merged(run: Path, wanted: Sequence[Point], steps: int) -> Rows:
    """By table, the rows of every point that is there from its first step to its last, in the order of the curve.

    Of a block that is there in part, only points that a checkpoint vouches for: the others, done again, are to have the
    company that they had.
    """
    places = [run, *parts(run)]
    tables: dict[str, list[dict[str, Any]]] = {}
    for name in ("points", "trajectories"):  # in the order in which a shard that still writes cannot lack the second
        columns = [column.name for column in TABLES[name]]
        cells = union(name, [place / f"{name}.csv" for place in places]).values()
        tables[name] = [{key: cell or None for key, cell in zip(columns, row, strict=True)} for row in cells]
    order = {point: number for number, point in enumerate(wanted)}
    seen = {(Point.of(row), int(row["step"])) for row in tables["trajectories"]}
    whole = {point for row in tables["points"] if ((point := Point.of(row)), _end(row, steps)) in seen}
    certain = set().union(*(finished(run, place) for place in places))
    together = blocks(wanted, (), agreed(run, BLOCK) or 1)
    taken = {p for block in together for p in block if p in whole and (p in certain or whole.issuperset(block))}

    def place_of(row: dict[str, Any]) -> tuple[int, int]:
        return order[Point.of(row)], int(row.get("step") or 0)

    return {
        name: sorted((row for row in tables[name] if Point.of(row) in taken), key=place_of)
        for name in ("trajectories", "points")
    }


def _end(row: dict[str, Any], steps: int) -> int:
    return steps if row["diverged_at"] is None else int(row["diverged_at"])


def _replace(run: Path, found: Rows) -> None:
    """The run's tables and its checkpoint by these rows."""
    with agreeing(run):
        for litter in run.glob(f"{PARTS}/.*.part"):
            shutil.rmtree(litter)
        number = 1 + max((int(place.name.rpartition("-")[2]) for place in _copies(run)), default=0)
        half, copy = run / PARTS / ".collected.part", run / PARTS / f"collected-{number}"
        half.mkdir()
        with Recorder(run, 0.0, half) as recorder:
            for name, rows in found.items():
                for row in rows:
                    recorder.write(name, row)
            recorder.began -= sum(float(row["wall_time"] or 0) for row in found["points"])
            recorder.save({"finished": [list(Point.of(row)) for row in found["points"]]})
        os.rename(half, copy)
    files = [f"{name}.csv" for name, rows in found.items() if rows]
    (run / "done.json").unlink(missing_ok=True)
    (run / "checkpoint.pt").unlink(missing_ok=True)  # from here on the copy's vouches for all rows
    for name in [*files, "checkpoint.pt"]:
        atomic.write(run / name, partial(_copy, copy / name))
    for place in _copies(run):
        _take_away(place)


def _copy(source: Path, target: BinaryIO) -> None:
    with source.open("rb") as content:
        shutil.copyfileobj(content, target)


def _copies(run: Path) -> list[Path]:
    return [place for place in parts(run) if place.name.startswith("collected-")]


def _take_away(place: Path) -> None:
    """First out of sight in one step, so that nobody meets half of it."""
    hidden = place.with_name(f".{place.name}.part")
    os.rename(place, hidden)
    shutil.rmtree(hidden)


def _finish(run: Path, config: DictConfig, wanted: Sequence[Point]) -> None:
    summary = summarize(run, wanted) | {"steps": config.steps, "block": agreed(run, BLOCK), "workers": 0}
    with Recorder(run, 0.0) as recorder:
        recorder.finish(summary)
    print(f"{run}: {sentence(summary)}")


def _clean(run: Path) -> None:
    """The shards of a finished run, but for their logs; those that a process still writes stay."""
    for place in parts(run):
        try:
            with held(place):
                for pattern in ("checkpoint.pt", "blocks/*", "*.csv"):
                    for file in place.glob(pattern):
                        file.unlink()
        except BadInput:
            continue


def command(run: Run) -> str:
    """The words that began it, without those that make it a shard."""
    words = run.env.get("command")
    if not isinstance(words, list):
        words = ["aeos", "sweep-stability"]
    return shlex.join(str(word) for word in words if str(word).partition("=")[0] not in ("shards", "shard", "force"))
