"""Blocks of a sweep, here or in processes of their own: whoever moves them, the same numbers come back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from aeos.jobs.numerics import settle
from aeos.jobs.sweep.block import Rows, run_block
from aeos.jobs.sweep.points import Point
from aeos.problems.base import Problem
from aeos.problems.build import build_problem
from aeos.processes import POLL, begun_by, pool

Tell = Callable[[int, int], None]  # (number of the block, step)


class Stopped(Exception):
    """Ends a block in a worker whose results nobody waits for any more."""


_here: dict[str, Any] = {}  # what a worker process was started with


def run_blocks(
    config: DictConfig, problem: Problem, blocks: Sequence[list[Point]], folder: Path, workers: int, tell: Tell
) -> Generator[tuple[list[Point], Rows], None, None]:
    """Each block with its rows, in the order in which they end. `workers` processes of one thread, 0: this one.

    Raises BadInput as `run_block` does, and when a worker was killed.
    """
    if not workers:
        for number, block in enumerate(blocks):
            yield block, run_block(config, problem, block, folder, partial(tell, number))
        return
    method = start_method(config)
    context = begun_by(method)
    steps, stop = context.SimpleQueue(), context.RawValue("b", 0)
    inherited = problem if method == "fork" else None
    with pool(workers, context, _begin, OmegaConf.to_container(config), inherited, folder, steps, stop) as working:
        try:
            for number, block in enumerate(blocks):
                working.submit(block, _work, number, block)
            while len(working):
                yield from working.ended()
                while not steps.empty():
                    tell(*steps.get())
        finally:
            stop.value = 1


def start_method(config: DictConfig) -> str:
    """fork costs nothing, but what it makes can use neither an accelerator nor further threads; spawn takes seconds."""
    alone = (config.threads or 1) == 1 and not torch.accelerator.is_available()
    return "fork" if sys.platform == "linux" and alone else "spawn"


def _begin(content: Any, problem: Problem | None, folder: Path, steps: Any, stop: Any) -> None:
    """Make this process a worker: one thread, its own problem."""
    config = OmegaConf.create(content)
    torch.set_num_threads(config.threads or 1)
    settle(config)
    _here.update(config=config, folder=folder, steps=steps, stop=stop, problem=problem or build_problem(config))


def _work(number: int, block: list[Point]) -> Rows:
    due = 0.0

    def tell(step: int) -> None:
        nonlocal due
        if _here["stop"].value:
            raise Stopped
        if monotonic() >= due or step == _here["config"].steps:
            _here["steps"].put((number, step))
            due = monotonic() + POLL

    return run_block(_here["config"], _here["problem"], block, _here["folder"], tell)
