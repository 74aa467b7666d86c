"""The optimizer that a job's settings describe, as a process."""

from __future__ import annotations

from contextlib import nullcontext

from omegaconf import DictConfig

from aeos.dynamics import Discrete
from aeos.jobs.numerics import faster
from aeos.optimizers import build_rule, build_schedule
from aeos.problems.base import Problem
from aeos.problems.build import check_batch_size
from aeos.problems.sampling import Batches


def build_optimizer(
    config: DictConfig, problem: Problem, graph: int | None = None, members: int | None = None
) -> Discrete:
    """Rule, minibatches and schedule on the problem; `graph` as in Discrete, `members` with minibatches of their own.

    Raises BadInput where they do not fit.
    """
    check_batch_size(problem, config.batch_size)
    batches = Batches(problem.size, config.batch_size, config.seed, members) if config.batch_size else None
    rule, schedule = build_rule(config.optimizer), build_schedule(config.schedule, config.steps)
    fast = faster(config, problem.device)
    graph = None if fast else graph  # a Hessian's gradient is exact
    return Discrete(problem, rule, batches, schedule, name=config.optimizer.name, graph=graph, fast=fast or nullcontext)
