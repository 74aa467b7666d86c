"""k-Adam: the values that its strategies give, and which of its stages bounds the update."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from aeos.optimizers.rules import Adam, KAdam
from aeos.theory.kadam import STRATEGIES, stages
from aeos.theory.stability import max_update_bound, stability_coefficient


def peak_over_bound(rule: KAdam, gradients: Tensor, beta1: float, beta2: float) -> tuple[float, float]:
    """max_n ‖u_n‖∞ and max_n ‖u_n‖∞/(the bound at n)"""
    state = rule.init(gradients[0])
    sizes = [rule.direction(g, state).abs().max().item() for g in gradients]
    bounds = max_update_bound(range(len(sizes)), beta2, beta1, "discrete")
    return max(sizes), max(size / bound for size, bound in zip(sizes, bounds, strict=True))


@pytest.mark.parametrize(
    ("strategy", "k", "expected"),
    [
        ("uniform", 2, [(0.683772, 0.968377), (0.683772, 0.968377)]),
        ("inverse_exp", 2, [(0.784557, 0.99), (0.535841, 0.9)]),
        ("exp", 2, [(0.535841, 0.9), (0.784557, 0.99)]),
        ("naive", 3, [(0.9, 0.999)] * 3),
    ],
)
def test_stages_by_hand(strategy: str, k: int, expected: list[tuple[float, float]]) -> None:
    for ours, theirs in zip(stages(strategy, k, 0.9, 0.999), expected, strict=True):
        assert ours == pytest.approx(theirs, abs=5e-7)


@pytest.mark.parametrize("k", range(1, 11))
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_keeps_the_newest_gradients_weight_and_stays_stable(strategy: str, k: int) -> None:
    pairs = stages(strategy, k, 0.9, 0.999)
    assert len(pairs) == k
    if strategy != "naive":
        assert math.prod(1 - beta1 for beta1, _ in pairs) == pytest.approx(0.1, rel=1e-12)
        assert math.prod(1 - beta2 for _, beta2 in pairs) == pytest.approx(1e-3, rel=1e-10)
    assert min(stability_coefficient(beta2, beta1) for beta1, beta2 in pairs) > 0.2212
    if strategy == "exp":
        assert pairs == sorted(pairs)
        assert stages("inverse_exp", k, 0.9, 0.999) == pairs[::-1]


@pytest.mark.parametrize(("strategy", "k", "says"), [("none", 2, "strategy=none"), ("exp", 0, "k=0")])
def test_stages_refuses(strategy: str, k: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        stages(strategy, k, 0.9, 0.999)


def test_only_the_last_stage_bounds_the_update(numbers: Callable[..., Tensor]) -> None:
    """An unstable first stage is tamed by a stable second one; the other way round nothing tames it."""
    stable, unstable = (0.9, 0.999), (0.99, 0.9)
    impulse = torch.zeros(400, 1, dtype=torch.float64)
    impulse[0] = 1.0
    for gradients in (impulse, numbers(3, 400, 20)):
        _, ratio = peak_over_bound(KAdam(eps=0.0, stages=[unstable, stable]), gradients, *stable)
        assert ratio <= 1 + 1e-9
    peak, ratio = peak_over_bound(KAdam(eps=0.0, stages=[stable, unstable]), impulse, *unstable)
    assert peak > 1e3
    assert ratio <= 1 + 1e-9


def test_a_last_stage_without_momentum_divides_by_the_size_of_its_input(numbers: Callable[..., Tensor]) -> None:
    """β₁₂ = 0: x₂ = x₁/√(EMA x₁²), the elementwise analogue of the stage that weight decay implies."""
    first, both = Adam(eps=0.0), KAdam(eps=0.0, stages=[(0.9, 0.999), (0.0, 0.95)])
    one, two = first.init(numbers(0, 7)), both.init(numbers(0, 7))
    average = torch.zeros(7, dtype=torch.float64)
    for t, g in enumerate(numbers(1, 50, 7), 1):
        x = first.direction(g, one)
        average = 0.95 * average + 0.05 * x * x
        torch.testing.assert_close(both.direction(g, two), x / (average / (1 - 0.95**t)).sqrt(), rtol=1e-12, atol=1e-14)
