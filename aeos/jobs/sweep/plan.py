"""How a sweep is run: so many points at once in each of so many processes, chosen by a short measurement."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from omegaconf import DictConfig

from aeos.jobs.sweep.block import member_process
from aeos.jobs.sweep.points import Point
from aeos.jobs.sweep.workers import start_method
from aeos.problems.base import Problem

WORTH_GROUPING = 5e-3  # seconds a step from which on members gain nothing from being moved together; measured
WORTH_WORKERS = {"fork": 2.0, "spawn": 12.0}  # seconds of work from which on starting further processes pays
LOOK = 0.15  # seconds that measuring one block may take, its first step aside
GAIN = 0.95  # a larger block must cost a point at most this share of what a smaller one does


class Plan(NamedTuple):
    block: int  # points moved together
    workers: int  # processes; 0: this one


def make_plan(
    config: DictConfig, problem: Problem, left: Sequence[Point], begun_with: int | None, shards: int = 1
) -> Plan:
    """What the settings say; else the block that the run began with, else what a short measurement finds best.

    `left` is shared by so many `shards`, each of which is planned like this one.
    """
    if not left:
        return Plan(config.block or begun_with or 1, 0)
    cores = processors() if problem.device.type == "cpu" else 1
    workers = cores if config.workers is None else config.workers
    block = config.block or begun_with
    if block is None or config.workers is None:
        block, seconds = _measured(config, problem, left, max(1, workers) * shards, block)
        if config.workers is None:
            work = seconds * config.steps * len(left) / shards
            workers = cores if cores > 1 and work > WORTH_WORKERS[start_method(config)] else 0
    return Plan(block, min(workers, -(-len(left) // (block * shards))))


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _measured(
    config: DictConfig, problem: Problem, left: Sequence[Point], workers: int, block: int | None
) -> tuple[int, float]:
    """(points a block, seconds a step of one of them): the smallest block beyond which a point costs no less.

    No larger than lets each of so many workers have one; `block`, where it is given already.
    """
    alike = [point for point in left if point.seed == left[0].seed]
    if block is not None:
        return block, cost(config, problem, alike[:block])
    most = -(-len(alike) // workers)
    best, least = 1, cost(config, problem, alike[:1])
    size = min(8, most)  # fewer bear too much of an ensemble's own cost to judge it by
    while least < WORTH_GROUPING and size < 2 * most:
        group = alike[: min(size, most)]
        spent = cost(config, problem, group)
        if spent < GAIN * least:
            best, least = len(group), spent
        elif spent > 2 * least:
            break
        size *= 2
    return best, least


def cost(config: DictConfig, problem: Problem, block: Sequence[Point]) -> float:
    """Seconds a step of one point takes in this block: the least of a few."""
    process = member_process(config, problem, block)
    state = process.init(problem.init(block[0].seed).expand(len(block), -1))
    state = process.advance(state)  # the first one warms up
    spent: list[float] = []
    while len(spent) < 3 or (len(spent) < 20 and sum(spent) < LOOK):
        start = time.perf_counter()
        state = process.advance(state)
        spent.append(time.perf_counter() - start)
    return min(spent) / len(block)
