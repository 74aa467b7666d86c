"""A small noisy problem that any rule can be walked down, and the rules by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from aeos.optimizers.rules import Rule

Gradient = Callable[[Tensor, int], Tensor]


@pytest.fixture
def numbers() -> Callable[..., Tensor]:
    """numbers(seed, *shape): standard normal, float64."""

    def draw(seed: int, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    return draw


@pytest.fixture
def gradient(numbers: Callable[..., Tensor]) -> Gradient:
    """gradient(θ, k) = hθ + θ/(1 + θ²) + noise_k: convex, so that rounding is forgotten and not amplified.

    Exactly rounded operations only, so that the bits do not depend on where in memory a number lies.
    """

    def at(theta: Tensor, step: int) -> Tensor:
        d = theta.shape[-1]
        h = torch.linspace(0.5, 2.0, d, dtype=theta.dtype)
        return h * theta + theta / (1 + theta * theta) + numbers(100 + step, d).to(theta.dtype)

    return at


@pytest.fixture
def walk(gradient: Gradient) -> Callable[[Rule, Tensor, int], Tensor]:
    """walk(rule, θ₀, steps) → θ at the end; θ₀ is left alone."""

    def go(rule: Rule, start: Tensor, steps: int) -> Tensor:
        theta = start.clone()
        state = rule.init(theta)
        for k in range(steps):
            rule.update_(theta, gradient(theta, k), state)
        return theta

    return go
