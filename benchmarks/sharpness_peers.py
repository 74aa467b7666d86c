"""How each library is asked for a product with the Hessian, for λ₁ from nothing, and for λ₁ along training."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from aeos.curvature import Hessian, SharpnessTracker, lanczos
from aeos.problems.base import Batch
from aeos.problems.models.build import seeded
from aeos.problems.network import Network

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import curvlinops
        import pyhessian
        from hessian_eigenthings.algorithms import lanczos as eigenthings_lanczos
        from hessian_eigenthings.loss_fns import supervised_loss
        from hessian_eigenthings.operators import HessianOperator
except ImportError as missing:
    sys.exit(f'{missing.name} is not installed: pip install "aeos[bench]"')

TOL = 1e-3


class Loss(nn.Module):
    """The criterion as the other libraries want it."""

    reduction = "mean"

    def __init__(self, criterion: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        return self.criterion(outputs, y)


class Net:
    """A problem at one θ, also as a plain module with that θ in it."""

    def __init__(self, problem: Network) -> None:
        self.problem, self.model, self.loss = problem, seeded(problem.make, 0), Loss(problem.criterion)
        self.parameters = list(self.model.parameters())
        self.whole = problem.train.x, problem.train.y
        self.batches = [(part.x, part.y) for part in problem.train.split(problem.chunk or problem.size)]
        self.at(problem.init(0))
        began = time.perf_counter()
        self.gradient()
        self.repeats = max(2, math.ceil(0.1 / (time.perf_counter() - began)))  # enough gradients for a steady unit

    def at(self, theta: Tensor) -> Net:
        self.theta = theta
        vector_to_parameters(theta, self.parameters)
        return self

    def gradient(self) -> Tensor:
        return self.problem.value_and_gradient(self.theta)[1]

    def hessian(self, retain: bool = True) -> Hessian:
        return Hessian(self.problem.pieces(self.theta), retain)

    def pyhessian(self) -> Any:
        made = pyhessian.hessian(self.model, self.loss, data=self.whole, cuda=False)
        self.model.zero_grad()  # it leaves the graph there
        return made

    def curvlinops(self) -> Any:
        data = {"data": self.batches, "num_data": self.problem.size, "check_deterministic": False}
        return curvlinops.HessianLinearOperator(self.model, self.loss, self.parameters, **data)

    def eigenthings(self) -> Any:
        return HessianOperator(self.model, [self.whole], supervised_loss(self.loss))

    def parts(self, v: Tensor) -> list[Tensor]:
        split = v.split([p.numel() for p in self.parameters])
        return [part.view_as(p) for part, p in zip(split, self.parameters, strict=True)]


# ── one product: each makes v ↦ Hv ─────────────────────────────────────────────────────────────────
def jvp_of_grad(net: Net) -> Callable[[Tensor], Tensor]:
    def loss(theta: Tensor) -> Tensor:
        return sum(len(y) / net.problem.size * net.problem.loss(theta, Batch(x, y)) for x, y in net.batches)

    return lambda v: torch.func.jvp(torch.func.grad(loss), (net.theta,), (v,))[1]


def power_product(net: Net) -> Callable[[Tensor], Any]:
    made = net.pyhessian()
    return lambda v: pyhessian.utils.hessian_vector_product(made.gradsH, made.params, net.parts(v))


PRODUCTS: dict[str, Callable[[Net], Callable[[Tensor], Any]]] = {
    "aeos": Net.hessian,
    "PyHessian": power_product,
    "double backward, rebuilt": partial(Net.hessian, retain=False),
    "hessian-eigenthings": lambda net: net.eigenthings().matvec,
    "curvlinops": lambda net: net.curvlinops().__matmul__,
    "torch.func jvp of grad": jvp_of_grad,
}


# ── one λ₁ from nothing: each gives it and the number of products, where known ─────────────────────
Found = tuple[float, int | None]


def arpack(operator: Callable[[Tensor], Tensor], start: Tensor, **settings: Any) -> tuple[float, Tensor, int]:
    taken = 0

    def matvec(v: Any) -> Any:
        nonlocal taken
        taken += 1
        return operator(torch.from_numpy(v).to(start)).numpy()

    shaped = LinearOperator((len(start), len(start)), matvec=matvec, dtype=start.numpy().dtype)
    values, vectors = eigsh(shaped, 1, v0=start.numpy(), **settings)
    return float(values[0]), torch.from_numpy(vectors[:, 0]).to(start), taken


def random(net: Net, seed: int) -> Tensor:
    return torch.randn(net.problem.dim, generator=torch.Generator().manual_seed(seed), dtype=net.theta.dtype)


def ours(net: Net, seed: int) -> Found:
    pairs = lanczos(net.hessian(), net.theta, tol=TOL, start=random(net, seed))
    return float(pairs.values[0]), pairs.matvecs


def power(net: Net, seed: int, tol: float = TOL) -> Found:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return net.pyhessian().eigenvalues(tol=tol)[0][0], None


def published(net: Net, seed: int) -> Found:
    """eigsh(operator, neigs) and nothing else, each product from a new graph, as edge-of-stability code has it."""
    value, _, taken = arpack(net.hessian(retain=False), random(net, seed))
    return value, taken


def exported(net: Net, seed: int) -> Found:
    start = random(net, seed).numpy()
    return float(eigsh(net.curvlinops().to_scipy(start.dtype), 1, v0=start, which="LA", tol=TOL)[0][0]), None


def ten_steps(net: Net, seed: int) -> Found:
    found = eigenthings_lanczos(net.eigenthings(), k=1, max_iter=10, which="LA", seed=seed)
    return float(found.eigenvalues[0]), found.iterations


COLD: dict[str, Callable[[Net, int], Found]] = {
    "aeos": ours,
    "PyHessian": power,
    "PyHessian, tol 1e-4": partial(power, tol=1e-4),
    "hessian-eigenthings, 10 steps": ten_steps,
    "eigsh as published": published,
    "curvlinops + eigsh": exported,
}


# ── λ₁ along training: each measures at the next θ ─────────────────────────────────────────────────
Measure = Callable[[Hessian, Tensor], Found]


def tracking(tracker: SharpnessTracker) -> Measure:
    def measure(hessian: Hessian, theta: Tensor) -> Found:
        pairs = tracker.measure(hessian, theta)
        return float(pairs.values[0]), pairs.matvecs

    return measure


def resumed(packed: dict[str, Any]) -> Measure:
    tracker = SharpnessTracker(tol=TOL)
    tracker.unpack(packed)
    return tracking(tracker)


def restarting(vector: Tensor) -> Measure:
    def measure(hessian: Hessian, theta: Tensor) -> Found:
        nonlocal vector
        value, vector, taken = arpack(hessian, vector, which="LA", tol=TOL)
        return value, taken

    return measure


def reference(problem: Any, theta: Tensor, start: Tensor | None = None) -> tuple[float, Tensor]:
    """λ₁ and its vector by eigsh: to 1e-6 or better in float64, 1e-4 or better in float32."""
    theta = theta.to(problem.dtype)
    noise = torch.randn(len(theta), generator=torch.Generator().manual_seed(7)).to(theta) / math.sqrt(len(theta))
    begin = noise if start is None else start + 0.1 * noise
    tol = 1e-6 if theta.dtype == torch.float64 else 1e-4
    return arpack(Hessian(problem.pieces(theta)), begin, which="LA", tol=tol)[:2]
