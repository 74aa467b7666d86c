"""`aeos sweep-stability`: one optimizer at many points of the (β, γ) plane."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing

from omegaconf import DictConfig

from aeos.jobs.progress import progress_of_blocks
from aeos.jobs.sweep.block import Rows, forget
from aeos.jobs.sweep.elsewhere import elsewhere
from aeos.jobs.sweep.plan import Plan, make_plan
from aeos.jobs.sweep.points import Point, blocks, points
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
    of the same settings has.
    """
    wanted = points(config)
    problem = build_problem(config)
    check_batch_size(problem, config.batch_size)
    build_rule(config.optimizer)
    build_schedule(config.schedule, config.steps)
    threads = config.threads or 1
    with with_threads(threads), folder.opened(problem.provenance(), threads) as recorder:
        kept = Kept(recorder)
        for run, rows in elsewhere(config, folder, [point for point in wanted if point not in kept.finished]):
            kept.add(rows)
            print(f"{len(rows['points'])} points taken over from {run}")
        plan = make_plan(config, problem, [p for p in wanted if p not in kept.finished], kept.block)
        kept.block = plan.block
        kept.save()
        _compute(config, problem, folder, kept, list(blocks(wanted, kept.finished, plan.block)), plan)
        summary = summarize(folder.path, wanted) | {"steps": config.steps, "block": plan.block, "workers": plan.workers}
        recorder.finish(summary)
    print(f"{folder.path}: {sentence(summary)}")


def _compute(
    config: DictConfig, problem: Problem, folder: RunFolder, kept: Kept, todo: Sequence[list[Point]], plan: Plan
) -> None:
    place = folder.path / "blocks"
    with (
        progress_of_blocks(folder.path.name, todo, config.steps) as tell,
        closing(run_blocks(config, problem, todo, place, plan.workers, tell)) as ended,  # workers end whatever happens
    ):
        for block, rows in ended:
            kept.add(rows)
            log.info("computed %s", "; ".join(f"beta={b!r} gamma={g!r} seed={s}" for b, g, s in block))
            forget(place, block)


class Kept:
    """What this run has: its finished points, and the size of its blocks, on which the last digits may depend."""

    def __init__(self, recorder: Recorder) -> None:
        saved = recorder.restore() or {"block": None, "finished": []}
        self.recorder = recorder
        self.block: int | None = saved["block"]
        self.finished = {Point(*entry) for entry in saved["finished"]}

    def add(self, rows: Rows) -> None:
        """All rows of some points, a point's own in `points` last; then the checkpoint that vouches for them."""
        for table in ("trajectories", "points"):
            for row in rows[table]:
                self.recorder.write(table, row)
        self.finished |= {Point.of(row) for row in rows["points"]}
        self.save()

    def save(self) -> None:
        self.recorder.save({"block": self.block, "finished": [list(point) for point in self.finished]})
