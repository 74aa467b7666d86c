"""Would catch: (g − m)² with the m of before g, ε in another place, a threshold that is not AdaBelief's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from aeos.optimizers.rules import AdaBelief

BETA1, BETA2, EPS, STEPS = 0.8, 0.95, 1e-3, 40


def test_of_a_constant_gradient_it_forgets_the_size_and_then_all(numbers: Callable[..., Tensor]) -> None:
    """g − m_t = β₁ᵗg, so P² = (1 − β₂)/(1 − β₂ᵗ)·Σ β₂^(t−k) β₁^(2k) g²: a geometric sum."""
    rule, g = AdaBelief(beta1=BETA1, beta2=BETA2, eps=0.0), numbers(0, 5)
    state = rule.init(g)
    for t in range(1, STEPS + 1):
        u = rule.direction(g, state)
        weights = BETA1**2 * (BETA2**t - BETA1 ** (2 * t)) / (BETA2 - BETA1**2)
        p = (1 - BETA2) / (1 - BETA2**t) * weights
        torch.testing.assert_close(u, g.sign() / p**0.5, rtol=1e-11, atol=0)


def test_it_is_the_published_algorithm(numbers: Callable[..., Tensor]) -> None:
    """Algorithm 2 as printed: ε goes into s at every step, and to its root."""
    rule = AdaBelief(beta1=BETA1, beta2=BETA2, eps=EPS, eps_root=EPS / (1 - BETA2))
    state, m, s = rule.init(numbers(0, 9)), torch.zeros(9).double(), torch.zeros(9).double()
    for t, g in enumerate(numbers(1, STEPS, 9), 1):
        m = BETA1 * m + (1 - BETA1) * g
        s = BETA2 * s + (1 - BETA2) * (g - m) ** 2 + EPS
        published = m / (1 - BETA1**t) / ((s / (1 - BETA2**t)).sqrt() + EPS)
        torch.testing.assert_close(rule.direction(g, state), published, rtol=1e-12, atol=0)


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_iterates_grow_above_the_threshold_alone(factor: float, numbers: Callable[..., Tensor]) -> None:
    """On ½Σhθ² with P⁻¹h a hundredth off the threshold, P that of the first gradient."""
    rule, first = AdaBelief(lr=0.01, freeze=1), numbers(1, 5).abs() + 0.5
    theta = torch.zeros_like(first)
    state = rule.init(theta)
    rule.update_(theta, first, state)
    p, threshold = rule.preconditioner(state), rule.stability_threshold()
    assert threshold == pytest.approx(38 / rule.lr, rel=1e-12)
    sizes = []
    for _ in range(2000):
        rule.update_(theta, factor * threshold * p * theta, state)
        sizes.append(theta.abs().min().item())
    assert (sizes[-1] > 2 * sizes[1000]) == (factor > 1)
    assert (sizes[-1] < 0.5 * sizes[1000]) == (factor < 1)
