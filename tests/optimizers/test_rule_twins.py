"""Rules that torch lacks, against their formulas written out step by step from the whole history of gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from aeos.optimizers.rules import Adam, KAdam, NAdam, Padam, Rule, ScalarRMSprop, SignSGD

STEPS = 40


def mean(history: list[Tensor], rate: float, corrected: bool = True) -> Tensor:
    """Σ (1 − rate)·rate^(n−k)·x_k, over 1 − rate^(n+1) when corrected: the moving average as a sum."""
    n = len(history) - 1
    total = sum(((1 - rate) * rate ** (n - k) * x for k, x in enumerate(history)), torch.zeros_like(history[0]))
    return total / (1 - rate ** (n + 1)) if corrected else total


def squares(history: list[Tensor]) -> list[Tensor]:
    return [x * x for x in history]


def padam(g: list[Tensor]) -> Tensor:
    return mean(g, 0.8) / (mean(squares(g), 0.95) ** 0.2 + 1e-3)


def scalar_rmsprop(g: list[Tensor]) -> Tensor:
    return g[-1] / (mean([(x * x).sum() for x in g], 0.9).sqrt() + 1e-3)


def eps_root(g: list[Tensor]) -> Tensor:
    return mean(g, 0.8) / ((mean(squares(g), 0.95) + 0.04).sqrt() + 1e-3)


def uncorrected_adam(g: list[Tensor]) -> Tensor:
    return mean(g, 0.8, False) / (mean(squares(g), 0.95, False).sqrt() + 1e-3)


def constant_nadam(g: list[Tensor]) -> Tensor:
    t = len(g)
    m, v = mean(g, 0.8, False), mean(squares(g), 0.95)
    return (0.8 * m / (1 - 0.8 ** (t + 1)) + 0.2 * g[-1] / (1 - 0.8**t)) / (v.sqrt() + 1e-3)


def uncorrected_nadam(g: list[Tensor]) -> Tensor:
    return (0.8 * mean(g, 0.8, False) + 0.2 * g[-1]) / (mean(squares(g), 0.95, False).sqrt() + 1e-3)


def three_stages(g: list[Tensor]) -> Tensor:
    x = g
    for beta1, beta2 in [(0.5, 0.9), (0.8, 0.99), (0.0, 0.7)]:
        x = [mean(x[: n + 1], beta1) / (mean(squares(x[: n + 1]), beta2).sqrt() + 1e-3) for n in range(len(x))]
    return x[-1]


COMMON = {"eps": 1e-3, "beta1": 0.8, "beta2": 0.95}
TWINS: dict[str, tuple[Rule, Callable[[list[Tensor]], Tensor]]] = {
    "padam": (Padam(power=0.2, **COMMON), padam),
    "scalar-rmsprop": (ScalarRMSprop(beta2=0.9, eps=1e-3), scalar_rmsprop),
    "eps-root": (Adam(eps_root=0.04, **COMMON), eps_root),
    "adam-uncorrected": (Adam(bias_correction=False, **COMMON), uncorrected_adam),
    "nadam-constant": (NAdam(momentum_decay=0.0, **COMMON), constant_nadam),
    "nadam-uncorrected": (NAdam(momentum_decay=0.0, bias_correction=False, **COMMON), uncorrected_nadam),
    "kadam-3": (KAdam(eps=1e-3, stages=[(0.5, 0.9), (0.8, 0.99), (0.0, 0.7)]), three_stages),
}


@pytest.mark.parametrize("name", TWINS)
def test_direction_equals_the_formula_over_the_history(name: str, numbers: Callable[..., Tensor]) -> None:
    rule, twin = TWINS[name]
    gradients = list(numbers(1, STEPS, 9))
    state = rule.init(gradients[0])
    for n, g in enumerate(gradients):
        u = rule.direction(g, state)
        torch.testing.assert_close(u, twin(gradients[: n + 1]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("decoupled", "expected"), [(True, 0.95 * 2 - 0.1), (False, 2 - 0.1)])
def test_weight_decay_by_hand(decoupled: bool, expected: float) -> None:
    """θ = 2, g = 3, η = 0.1, λ = 0.5: decoupled (1 − ηλ)θ − η sign g, as L2 θ − η sign(g + λθ)."""
    theta, grad = torch.tensor([2.0], dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64)
    rule = SignSGD(lr=0.1, weight_decay=0.5, decoupled=decoupled)
    after, _ = rule.update(theta, grad, rule.init(theta))
    assert after.item() == pytest.approx(expected, abs=1e-15)
