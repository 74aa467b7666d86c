"""How many samples at a time, and how many of their graphs, a memory budget has room for: measured, not guessed."""

from __future__ import annotations

import math
import weakref
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from aeos.curvature import Hessian, third_derivatives
from aeos.errors import BadInput
from aeos.problems.base import Problem
from aeos.problems.network import Network
from aeos.ranks import ALONE

GIB = 1 << 30
#: Share of the budget that tensors may take. On a CPU a process grows by 1.3 to 2.1 times as much (measured, from start
#: to start): what is freed below 32 MB stays in glibc's heap, and convolutions have scratch space of their own.
ROOM = {"cpu": 0.45, "cuda": 0.8}
VECTORS = 8  # of θ's size, beside what one piece takes: sums over pieces
ENOUGH = 16  # samples from which on memory grows in proportion


class Live(TorchDispatchMode):
    """Bytes `now` in storages that came into being in here and still are, and their `peak`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known = weakref.WeakSet[Any]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [one.untyped_storage() for one in tree_iter((args, kwargs)) if isinstance(one, Tensor)]
        found = func(*args, **(kwargs or {}))
        made = [one.untyped_storage() for one in tree_iter(found) if isinstance(one, Tensor)]
        for storage in made:
            self._note(storage, {id(one) for one in given})
        self.peak = max(self.peak, self.now)
        return found

    def _note(self, storage: Any, given: set[int]) -> None:
        if id(storage) in given or storage in self.known:
            return
        self.known.add(storage)
        self.now += storage.nbytes()
        weakref.finalize(storage, self._forget, storage.nbytes())

    def _forget(self, size: int) -> None:
        self.now -= size


class Cost(NamedTuple):
    """Bytes that a piece's graph keeps, and how much more there is at most while one is made or used."""

    kept: float
    beside: float

    def plus(self, other: Cost, times: float) -> Cost:
        return Cost(self.kept + times * other.kept, self.beside + times * other.beside)


def fit(problem: Problem, budget_gb: float | None, *, deep: bool = False, held: int = 1) -> None:
    """Choose `chunk` and `graphs` so that a full-batch product takes at most `budget_gb` GiB beside θ, data and
    eigenvectors; with `deep` a third derivative. So many Hessians are `held` at once. None leaves everything as it is.

    All graphs are kept where they fit, for a product then costs half; else one piece lies in memory at a time.
    Raises BadInput where not even one sample fits, or batch norms, which cannot be cut into pieces, do not.
    """
    if budget_gb is None or not isinstance(problem, Network):
        return
    share = problem.ranks.share(problem.size)
    room = ROOM[problem.device.type] * GIB / held
    size, space = share.stop - share.start, room * budget_gb
    start, slope = line(problem, size, math.inf if problem.batch_statistics else space, deep)
    start = start.plus(Cost(0.0, VECTORS * problem.dim * problem.dtype.itemsize), 1)
    least = start.plus(slope, size if problem.batch_statistics else 1)
    if sum(least) > space:
        what = "the whole batch, which batch norms need" if problem.batch_statistics else "a single sample"
        raise BadInput(
            f"memory_gb={budget_gb:g}: a product over {what} takes {sum(least) / room:.2g}; set at least that"
        )
    if problem.batch_statistics:
        return
    most = min(size, problem.chunk or size) if problem.device.type == "cpu" else size  # as caches have it
    pieces = -(-size // most)
    while pieces < size and _all(start, slope, size, pieces) > space:
        pieces += 1
    if _all(start, slope, size, pieces) <= space:
        problem.chunk, problem.graphs = -(-size // pieces), pieces
    else:
        problem.chunk, problem.graphs = min(most, int((space - sum(start)) / sum(slope))), 1
    problem.evaluated = min(problem.evaluated, problem.chunk)


def _all(start: Cost, slope: Cost, size: int, pieces: int) -> float:
    """Bytes where every piece keeps its graph and one of them is at work."""
    return pieces * start.kept + size * slope.kept + start.beside + -(-size // pieces) * slope.beside


def line(problem: Network, size: int, space: float, deep: bool) -> tuple[Cost, Cost]:
    """Cost of n samples = start + n·slope, from as many as fit, at most ENOUGH."""
    count, costs = 1, [measured(problem, 1, deep)]
    while count < ENOUGH and 2 * count <= size and 2 * sum(costs[-1]) <= space:
        count *= 2
        costs.append(measured(problem, count, deep))
    if len(costs) == 1:
        return Cost(0.0, 0.0), costs[0]
    slope = costs[-1].plus(costs[-2], -1)
    slope = Cost(2 / count * slope.kept, 2 / count * slope.beside)
    start = costs[-1].plus(slope, -count)
    return Cost(max(0.0, start.kept), max(0.0, start.beside)), slope


def measured(problem: Network, count: int, deep: bool) -> Cost:
    """What a product over so many samples takes, or a third derivative."""
    theta, batch = problem.init(0), problem.batch(torch.arange(count))
    before = problem.ranks, problem.chunk
    problem.ranks, problem.chunk = ALONE, None
    try:
        with Live() as live:
            hessian = Hessian(problem.pieces(theta, batch))
            kept = live.now
            hessian(theta)
            if deep:
                third_derivatives(hessian, theta[None])
            return Cost(kept, live.peak - kept)
    finally:
        problem.ranks, problem.chunk = before
