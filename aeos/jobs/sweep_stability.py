"""`aeos sweep-stability`: one optimizer at many points of the (β, γ) plane."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from omegaconf import DictConfig

from aeos.errors import BadInput
from aeos.jobs.progress import progress_of_blocks
from aeos.jobs.sweep.block import Rows, forget
from aeos.jobs.sweep.elsewhere import elsewhere, rows_of
from aeos.jobs.sweep.plan import Plan, make_plan
from aeos.jobs.sweep.points import Point, blocks, points
from aeos.jobs.sweep.shards import Shard, block_size, others, settle_block
from aeos.jobs.sweep.summary import sentence, summarize
from aeos.jobs.sweep.workers import run_blocks
from aeos.jobs.threads import with_threads
from aeos.optimizers import build_rule, build_schedule
from aeos.problems.base import Problem
from aeos.problems.build import build_problem, check_batch_size
from aeos.results.folder import RunFolder
from aeos.results.recorder import Recorder

log = logging.getLogger("aeos")


def run(config: DictConfig, folder: RunFolder) -> None:
    """Sweep, or go on with it, and leave points.csv, trajectories.csv and a summary in the run folder.

    A point is finished once a checkpoint vouches for its rows. It is never computed again, nor is one that another run
    of the same settings has. A shard leaves its rows in a place of its own, for `aeos collect`.
    """
    wanted = points(config)
    problem = build_problem(config)
    check_batch_size(problem, config.batch_size)
    build_rule(config.optimizer)
    build_schedule(config.schedule, config.steps)
    threads, shard = config.threads or 1, Shard.of_config(config)
    if shard:
        folder.place = shard.place(folder.path)
    with with_threads(threads), folder.opened(problem.provenance(), threads) as recorder:
        kept = Kept(recorder)
        if shard:
            said = _share(config, problem, folder, kept, wanted, shard)
        else:
            plan = _whole(config, problem, folder, kept, wanted)
            summary = summarize(folder.path, wanted) | {"steps": config.steps, **plan._asdict()}
            recorder.finish(summary)
            said = f"{folder.path}: {sentence(summary)}"
    print(said)


def _whole(config: DictConfig, problem: Problem, folder: RunFolder, kept: Kept, wanted: list[Point]) -> Plan:
    """Whatever no process has finished yet, here."""
    for place, finished in others(folder):
        kept.take_over(place, rows_of(finished - kept.finished, place))
    for run, rows in elsewhere(config, folder, kept.lacks(wanted)):
        kept.take_over(run, rows)
    left = kept.lacks(wanted)
    plan = make_plan(config, problem, left, block_size(folder.path, config))
    if left:
        plan = plan._replace(block=settle_block(folder.path, config, plan.block))
    kept.save()
    _compute(config, problem, folder, kept, list(blocks(wanted, kept.finished, plan.block)), plan)
    return plan


def _share(
    config: DictConfig, problem: Problem, folder: RunFolder, kept: Kept, wanted: list[Point], shard: Shard
) -> str:
    """Whatever no process has finished yet of this shard's blocks; what to do next."""
    there = set().union(*(finished for _, finished in others(folder)))
    left = [point for point in kept.lacks(wanted) if point not in there]
    plan = make_plan(config, problem, left, block_size(folder.path, config), shard.of)
    if left:
        plan = plan._replace(block=settle_block(folder.path, config, plan.block))
        mine = shard.share(wanted, plan.block)
        for run, rows in elsewhere(config, folder, [point for point in kept.lacks(mine) if point not in there]):
            kept.take_over(run, rows)
        kept.save()
        _compute(config, problem, folder, kept, list(blocks(mine, kept.finished | there, plan.block)), plan)
    there = kept.finished.union(*(finished for _, finished in others(folder)))
    lacking = sum(point not in there for point in wanted)
    if lacking:
        return f"{folder.place}: done; {lacking} of {len(wanted)} points are left to other shards"
    return f"{folder.path}: all {len(wanted)} points are there; put them together by\n  aeos collect {folder.path}"


def _compute(
    config: DictConfig, problem: Problem, folder: RunFolder, kept: Kept, todo: Sequence[list[Point]], plan: Plan
) -> None:
    place = folder.place / "blocks"
    with (
        progress_of_blocks(folder.path.name, todo, config.steps) as tell,
        closing(run_blocks(config, problem, todo, place, plan.workers, tell)) as ended,  # workers end whatever happens
    ):
        for block, rows in ended:
            kept.add(rows)
            log.info("computed %s", "; ".join(f"beta={b!r} gamma={g!r} seed={s}" for b, g, s in block))
            forget(place, block)
    for file in place.glob("*"):
        file.unlink()  # of blocks whose rows were kept just before a kill


class Kept:
    """The points that this process has finished, and their rows."""

    def __init__(self, recorder: Recorder) -> None:
        saved = recorder.restore() or {"finished": []}
        self.recorder = recorder
        try:
            self.finished = {Point(*entry) for entry in saved["finished"]}
        except (KeyError, TypeError) as error:
            raise BadInput("a checkpoint of another version of aeos: add force=true to start over") from error

    def lacks(self, wanted: Sequence[Point]) -> list[Point]:
        return [point for point in wanted if point not in self.finished]

    def take_over(self, place: Path, rows: Rows) -> None:
        """What has been finished elsewhere, said aloud."""
        if rows["points"]:
            self.add(rows)
            print(f"{len(rows['points'])} points taken over from {place}")

    def add(self, rows: Rows) -> None:
        """All rows of some points, a point's own in `points` last; then the checkpoint that vouches for them."""
        for table in ("trajectories", "points"):
            for row in rows[table]:
                self.recorder.write(table, row)
        self.finished |= {Point.of(row) for row in rows["points"]}
        self.save()

    def save(self) -> None:
        self.recorder.save({"finished": [list(point) for point in self.finished]})
