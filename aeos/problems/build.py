"""From settings to a problem."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from aeos.errors import BadInput
from aeos.problems.analytic import Quadratic, Saddle, Teacher
from aeos.problems.base import Problem
from aeos.problems.criteria import CRITERIA
from aeos.problems.data.load import load
from aeos.problems.models.build import build
from aeos.problems.network import Network
from aeos.ranks import ALONE, Ranks

#: Bytes a gradient or an evaluation keeps at once: on the CPU what stays near the caches (measured 2–4× on images).
KEPT = {"cpu": 32 << 20, "cuda": 4 << 30}
DTYPES = {"float32": torch.float32, "float64": torch.float64}


def build_problem(cfg: Any, ranks: Ranks = ALONE) -> Problem:
    """The problem of a job's settings problem, data, model, device, dtype, its samples shared among the ranks.

    Raises BadInput naming the one at fault.
    """
    where, dtype, problem = usable(ranks.device or cfg.device), DTYPES[cfg.dtype], cfg.problem
    if ranks.count > 1 and problem.name != "network":
        raise BadInput(f"problem={problem.name}: has no samples to share out; start it without torchrun")
    if problem.name == "quadratic":
        return Quadratic(problem.spectrum, problem.start, where, dtype)
    if problem.name == "saddle":
        return Saddle(problem.spectrum, problem.quartic, problem.cubic, problem.start, where, dtype)
    if problem.name == "teacher":
        if dtype != torch.float64:
            raise BadInput(f"dtype={cfg.dtype}: problem=teacher is defined in double precision; set dtype=float64")
        return Teacher(where)
    with ranks.one_by_one():
        data = load(cfg.data, dtype)
    network = Network(partial(build, cfg.model, data), data, CRITERIA[problem.criterion], where, dtype)
    network.ranks = ranks
    check_ranks(network)
    network.evaluated = network.fitting_chunk(KEPT[where.type])
    if not network.batch_statistics:
        network.chunk = network.evaluated
    return network


def check_ranks(network: Network) -> None:
    """Raises BadInput when its samples cannot be shared out."""
    count = network.ranks.count
    if count > network.size:
        raise BadInput(f"data.n={network.size}: fewer samples than the {count} ranks; start as many, or fewer")
    if count > 1 and network.batch_statistics:
        raise BadInput("model.norm=batch: its statistics are of the whole batch; choose group, or go without torchrun")


def usable(name: str) -> torch.device:
    """The device of that name. Raises BadInput when it is none, or is not there."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(f"device={name}: must be cpu, cuda or cuda:<number>") from error
    if device.type not in ("cpu", "cuda"):
        raise BadInput(f"device={name}: must be cpu, cuda or cuda:<number>")
    present = torch.cuda.device_count() if device.type == "cuda" else 1
    if (device.index or 0) >= present:
        raise BadInput(f"device={name}: this machine has {present} CUDA devices; set device=cpu")
    return device


def check_batch_size(problem: Problem, batch_size: int | None) -> None:
    """Raises BadInput when minibatches of this size cannot be drawn from the problem; None is the full batch."""
    if batch_size is None:
        return
    if not problem.size:
        raise BadInput(f"batch_size={batch_size}: this problem has no samples to draw; set batch_size=null")
    if batch_size > problem.size:
        raise BadInput(f"batch_size={batch_size}: there are only {problem.size} training samples")
    if batch_size < problem.ranks.count:
        raise BadInput(f"batch_size={batch_size}: fewer samples than the {problem.ranks.count} ranks; raise it")
    if batch_size == 1 and getattr(problem, "batch_statistics", False):
        raise BadInput("batch_size=1: batch normalization needs at least 2 samples a batch")
