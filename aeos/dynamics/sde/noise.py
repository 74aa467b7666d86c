"""What the noise of a gradient is to an SDE: its variance beside the full gradient, and Brownian increments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from aeos.curvature.noise import diagonal_covariance
from aeos.problems.analytic import Coordinates
from aeos.problems.base import Problem

Variance = float | Tensor  # of every entry of the gradient: one number, or (paths, d)


class Gradient(Protocol):
    """θ (paths, d) → (∇L (paths, d), diag Σ); `scale` s and `nu` are of the noise that is added to every entry."""

    problem: Problem
    scale: float
    nu: float

    def __call__(self, theta: Tensor, out: Tensor) -> tuple[Tensor, Variance]:
        """`out` (paths, d) is memory that the gradient may be put into."""
        ...


@dataclass
class Injected:
    """(∇L, s²), s = scale: the full gradient, to which the optimizer adds s·N(0, I), or s·t_ν of independent entries

    With `nu` the variance is s²ν/(ν − 2), ∞ for ν ≤ 2; the SDEs of SignSGD need `scale` and `nu` themselves.
    """

    problem: Problem
    scale: float
    nu: float = math.inf

    def __post_init__(self) -> None:
        heavy = 1.0 if math.isinf(self.nu) else self.nu / (self.nu - 2) if self.nu > 2 else math.inf
        self.variance = self.scale**2 * heavy

    def __call__(self, theta: Tensor, out: Tensor) -> tuple[Tensor, Variance]:
        if isinstance(self.problem, Coordinates):
            return self.problem.gradient(theta, out), self.variance
        return self.problem.value_and_gradient(theta)[1], self.variance


@dataclass
class Minibatch:
    """(∇L, (N − B)/(N − 1)·(E g_n² − ḡ²)/B + s²): the noise of minibatches of B of the N samples, drawn without
    replacement, and of what is added to every entry besides, s = scale
    """

    problem: Problem
    batch_size: int
    scale: float = 0.0
    nu: float = math.inf

    def __call__(self, theta: Tensor, out: Tensor) -> tuple[Tensor, Variance]:
        _, mean, square = self.problem.gradient_moments(theta)
        covariance = diagonal_covariance(mean, square, self.batch_size, self.problem.size, replacement=False)
        return mean, covariance.add_(self.scale**2)


def noisy_(z: Tensor, gradient: Tensor, variance: Variance, factor: float) -> Tensor:
    """z ← ∇L + factor·s·z, s² = variance: over a step of h, noise of factor 1/√h beside ∇L is √η s dW beside ∇L dt."""
    if isinstance(variance, Tensor):
        return torch.addcmul(gradient, z, variance.sqrt(), value=factor, out=z)
    return torch.add(gradient, z, alpha=factor * math.sqrt(variance), out=z)


class Normals:
    """z ~ N(0, 1) as a pure function of (seed, step): nothing to checkpoint.

    Drawn in single precision whatever that of θ, in a third of the time that NumPy's double ones take: from 24 bits, so
    that |z| < 5.8 and the variance is short of 1 by 6e-7, which takes 10¹² numbers to see.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.generator = torch.Generator(device)

    def begin(self, step: int) -> None:
        """From here on, the numbers of this step; what is drawn next depends on what was drawn since."""
        key = np.random.SeedSequence([self.seed, step, 2])  # gradient noise is drawn from [seed, step, 1]
        self.generator.manual_seed(int(key.generate_state(1)[0]))

    def fill_(self, out: Tensor) -> Tensor:
        """`out` itself."""
        if out.dtype == torch.float32:
            return out.normal_(generator=self.generator)
        return out.copy_(torch.empty_like(out, dtype=torch.float32).normal_(generator=self.generator))
