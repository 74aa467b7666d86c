"""The SDEs of SGD and SignSGD."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from aeos.dynamics.sde.base import Sde, Step
from aeos.dynamics.sde.noise import Minibatch, Variance, noisy_
from aeos.errors import BadInput
from aeos.problems.sampling import Batches
from aeos.theory.sde import xi


@dataclass
class SdeSGD(Sde):
    """dX = −∇L dt + √η Σ^½ dW

    Form faithful: dX = (−∇L + (η/2)∇²L∇L) dt + √η Σ^½ dW, whose stationary variance on ½λx² is the optimizer's own,
    ηs²/(λ(2 − ηλ)), where that of the first is ηs²/(2λ). Decoupled decay adds −λX dt.
    arXiv 2411.15958; faithful: arXiv 2506.00181.
    """

    rule_name: ClassVar = "gd"
    forms: ClassVar = ("new", "faithful")

    def move(self, theta: Tensor, memory: dict[str, Tensor], step: Step) -> None:
        gradient, variance, z, _ = self.oracle(theta)
        if self.form == "faithful":
            gradient = gradient - step.lr / 2 * self._product(theta, gradient)
        self.decay_(theta, step)
        theta.add_(noisy_(z, gradient, variance, -math.sqrt(1 / step.h)), alpha=-step.lr * step.h)

    def _product(self, theta: Tensor, vector: Tensor) -> Tensor:
        """(∇²L + L2 decay)·vector, (paths, d)."""
        leaf = theta.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.problem.value(leaf).sum(), leaf, create_graph=True)
        (product,) = torch.autograd.grad(slope, leaf, vector)
        return product if self.rule.decoupled else product + self.rule.weight_decay * vector


@dataclass
class SdeSignSGD(Sde):
    """dX = −2Ξ_ν(∇L/s) dt + √η √(1 − 4Ξ_ν²) dW,  2Ξ_∞(z) = erf(z/√2)

    s² = diag Σ; with Student's t of `gradient.nu` degrees of freedom, s is its scale. Minibatches count as Gaussian,
    coordinate by coordinate, which few samples of a network are far from: see SdeEmpiricalSign.
    arXiv 2411.15958, the SDE of SignSGD and its t_ν case. Raises BadInput where there is no noise.
    """

    rule_name: ClassVar = "signsgd"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.gradient, Minibatch) and not self.gradient.scale > 0:
            raise BadInput("noise=0: the SDE of SignSGD needs noise > 0: its drift is the mean of a random sign")

    def move(self, theta: Tensor, memory: dict[str, Tensor], step: Step) -> None:
        gradient, variance, z, free = self.oracle(theta)
        drift = self._drift(gradient, variance, free)
        self.decay_(theta, step)
        theta.add_(drift, alpha=-step.lr * step.h)
        root = drift.square_().neg_().add_(1).clamp_min_(0).sqrt_()
        theta.addcmul_(root, z, value=step.noise)

    def _drift(self, gradient: Tensor, variance: Variance, free: Tensor) -> Tensor:
        """E sign, into `free`. Where a coordinate has neither signal nor noise it is 0."""
        nu, scale = self.gradient.nu, self.gradient.scale
        if math.isinf(nu):
            deviation = variance.sqrt() if isinstance(variance, Tensor) else math.sqrt(variance)
            return torch.div(gradient, deviation, out=free).mul_(math.sqrt(0.5)).erf_().nan_to_num_(nan=0.0)
        return free.copy_(torch.from_numpy(2 * xi((gradient / scale).cpu().numpy(), nu)))


@dataclass
class SdeEmpiricalSign(Sde):
    """dX = −mean_j sign(g_j) dt + √η·spread dW, g_j the gradients of J = `signs` minibatches drawn anew in every step

    Form empirical_full: the spread is Σ_j w_j (sign(g_j) − mean)/√(J − 1) with normal weights w, which keeps
    correlations; empirical: the standard deviation of each coordinate alone. Both times √(1 − h/J), since the mean
    brings sampling noise itself.
    arXiv 2411.15958, the general SDE of SignSGD; its estimate from minibatches is ours. Raises BadInput without them.
    """

    form: str = "empirical"
    signs: int = 16
    rule_name: ClassVar = "signsgd"
    forms: ClassVar = ("empirical", "empirical_full")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.discrete.batches is None:
            raise BadInput("sdes=[empirical]: is made of minibatches; set batch_size")
        if self.signs < 2:
            raise BadInput(f"signs={self.signs}: a spread needs at least 2")
        own = self.discrete.batches
        seeds = range(self.seed + 1, self.seed + 1 + self.signs)
        self._batches = [Batches(own.size, own.batch_size, seed, members=own.members) for seed in seeds]

    def move(self, theta: Tensor, memory: dict[str, Tensor], step: Step) -> None:
        signs = self._draw(theta, round(step.end / step.h) - 1)
        mean = signs.mean(0)
        signs -= mean
        correction = math.sqrt(1 - step.h / self.signs)
        if self.form == "empirical_full":
            weights = self.normals.fill_(theta.new_empty(self.signs, len(theta)))
            noise = torch.einsum("jp,jpd->pd", weights, signs)
        else:
            noise = signs.square_().sum(0).sqrt_().mul_(self.normals.fill_(torch.empty_like(theta)))
        self.decay_(theta, step)
        theta.add_(mean, alpha=-step.lr * step.h)
        theta.add_(noise, alpha=step.noise * correction / math.sqrt(self.signs - 1))

    def _draw(self, theta: Tensor, number: int) -> Tensor:
        """(signs, paths, d): of the gradients of step `number` of the method."""
        drawn = []
        for batches in self._batches:
            gradient = self.problem.value_and_gradient(theta, self.problem.batch(batches.indices(number)))[1]
            if self.discrete.noise:
                gradient = gradient + self.normals.fill_(torch.empty_like(gradient)) * self.discrete.noise.scale
            drawn.append(gradient.sign())
        return torch.stack(drawn)
