"""What holds for every rule: purity, ensembles, scale invariance, the first step, coordinates without gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from aeos.errors import BadInput
from aeos.optimizers.build import RULES
from aeos.optimizers.rules import Adam, Adaptive, AMSGrad, NAdam, Padam, RMSprop, Rule, ScalarRMSprop, SignSGD

POINTS, DIM = 5, 37
#: torch's pow and norm round by where in memory a number lies; everything else is the same to the bit.
INEXACT = ("padam", "scalar_rmsprop")
SWEPT: dict[str, list[float]] = {
    "lr": [0.001, 0.003, 0.01, 0.03, 0.1],
    "weight_decay": [0.0, 0.01, 0.1, 0.2, 0.5],
    "momentum": [0.0, 0.3, 0.5, 0.9, 0.99],
    "beta1": [0.0, 0.3, 0.5, 0.9, 0.99],
    "beta2": [0.9, 0.0, 0.99, 0.999, 0.7],
    "eps": [1e-8, 1e-3, 0.0, 1e-2, 1e-5],
    "eps_root": [0.0, 1e-3, 0.0, 1e-2, 1e-5],
}
PRECONDITIONED = [name for name, kind in RULES.items() if issubclass(kind, Adaptive)]
INVARIANT = [*(name for name in PRECONDITIONED if name != "padam"), "signsgd", "kadam"]


def without_eps(name: str) -> Rule:
    return RULES[name](**({"eps": 0.0} if name != "signsgd" else {}))


@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", RULES)
def test_members_of_an_ensemble_are_their_single_runs(
    name: str,
    dtype: torch.dtype,
    decoupled: bool,
    numbers: Callable[..., Tensor],
    gradient: Callable[..., Tensor],
    walk: Callable[..., Tensor],
) -> None:
    kind = RULES[name]
    swept = {field.name: SWEPT[field.name] for field in fields(kind) if field.name in SWEPT}
    columns: dict[str, Any] = {key: torch.tensor(v, dtype=torch.float64)[:, None] for key, v in swept.items()}
    start = numbers(0, POINTS, DIM).to(dtype)
    together = walk(kind(decoupled=decoupled, **columns), start, 30)
    assert together.dtype == dtype
    for i in range(POINTS):
        member: dict[str, Any] = {key: values[i] for key, values in swept.items()}
        alone = walk(kind(decoupled=decoupled, **member), start[i], 30)
        rounding = 20 * torch.finfo(dtype).eps if name in INEXACT else 0.0
        torch.testing.assert_close(together[i], alone, rtol=rounding, atol=rounding, equal_nan=True)


@pytest.mark.parametrize("name", RULES)
def test_update_leaves_its_arguments_and_equals_update_in_place(name: str, numbers: Callable[..., Tensor]) -> None:
    rule = RULES[name](weight_decay=0.1, decoupled=False)
    theta, state = numbers(0, DIM), rule.init(numbers(0, DIM))
    rule.update_(theta, numbers(1, DIM), state)
    grad = numbers(2, DIM)
    before = (theta.clone(), grad.clone(), {key: value.clone() for key, value in state.items()})
    moved, remembered = rule.update(theta, grad, state, lr=0.05)
    assert torch.equal(theta, before[0])
    assert torch.equal(grad, before[1])
    assert all(torch.equal(state[key], before[2][key]) for key in state)
    u = rule.update_(theta, grad, state, lr=0.05)
    assert torch.equal(moved, theta)
    assert remembered.keys() == state.keys()
    assert all(torch.equal(remembered[key], state[key]) for key in state)
    torch.testing.assert_close(before[0] - theta, 0.05 * u, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", INVARIANT)
def test_without_eps_the_scale_of_gradients_does_not_matter(name: str, numbers: Callable[..., Tensor]) -> None:
    """A power of two scales without rounding: the directions are the same to the bit."""
    rule = without_eps(name)
    one, other = rule.init(numbers(0, DIM)), rule.init(numbers(0, DIM))
    for g in numbers(1, 20, DIM):
        assert torch.equal(rule.direction(g, one).clone(), rule.direction(2.0**40 * g, other))


def test_padam_scales_with_the_power_that_is_left(numbers: Callable[..., Tensor]) -> None:
    """u(cg) = c^(1−2·power) u(g)"""
    rule = Padam(eps=0.0, power=0.125)
    one, other = rule.init(numbers(0, DIM)), rule.init(numbers(0, DIM))
    for g in numbers(1, 20, DIM):
        u = rule.direction(g, one).clone()
        torch.testing.assert_close(rule.direction(16.0 * g, other), 8.0 * u, rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", ["signsgd", "rmsprop", "adagrad", "adam", "amsgrad", "kadam"])
def test_first_direction_is_the_sign(name: str, numbers: Callable[..., Tensor]) -> None:
    rule, g = without_eps(name), numbers(1, DIM)
    torch.testing.assert_close(rule.direction(g, rule.init(g)), g.sign(), rtol=4e-15, atol=0)


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("name", [*INVARIANT, "padam"])
def test_coordinates_without_gradient_stay(name: str, tensor: bool, numbers: Callable[..., Tensor]) -> None:
    rule = without_eps(name)
    if tensor and name != "signsgd":
        rule = replace(rule, eps=torch.zeros(2, 1, dtype=torch.float64))
    theta = numbers(0, 2, 6)
    dead, start, state = torch.tensor([1, 4]), theta.clone(), rule.init(theta)
    for g in numbers(1, 10, 2, 6):
        g[:, dead] = 0.0
        rule.update_(theta, g, state)
    assert torch.equal(theta[:, dead], start[:, dead])
    assert (theta - start)[:, [0, 2, 3, 5]].abs().min() > 0
    assert theta.isfinite().all()


@pytest.mark.parametrize("name", [name for name, kind in RULES.items() if kind is not SignSGD])
def test_not_a_number_is_passed_on(name: str) -> None:
    """The cure of 0/0 must not hide a run that has diverged."""
    rule = without_eps(name) if name in INVARIANT else RULES[name]()
    theta = torch.zeros(3)
    rule.update_(theta, torch.tensor([float("nan"), 1.0, 0.0]), rule.init(theta))
    assert theta[0].isnan()


@pytest.mark.parametrize("name", PRECONDITIONED)
def test_preconditioner_is_what_the_last_step_divided_by(name: str, numbers: Callable[..., Tensor]) -> None:
    rule = RULES[name](eps=1e-3, eps_root=1e-2)
    assert isinstance(rule, Adaptive)
    state = rule.init(numbers(0, DIM))
    with pytest.raises(BadInput, match="preconditioner"):
        rule.preconditioner(state)
    for t, g in enumerate(numbers(1, 12, DIM), 1):
        u, p = rule.direction(g, state).clone(), rule.preconditioner(state)
        if isinstance(rule, NAdam):
            continue  # its numerator is checked in test_rule_twins; P is Adam's, below
        first = state["m"] / (1 - rule.beta1**t) if isinstance(rule, Adam) else g
        torch.testing.assert_close(u, first / p, rtol=1e-13, atol=0)
    weight = 1 - rule.beta2**12 if isinstance(rule, RMSprop) else 1.0
    power = rule.power if isinstance(rule, Padam) else 0.5
    torch.testing.assert_close(p, (state["v"] / weight + 1e-2) ** power + 1e-3, rtol=1e-13, atol=0)
    assert p.shape == ((1,) if isinstance(rule, ScalarRMSprop) else (DIM,))


def test_amsgrads_preconditioner_never_shrinks(numbers: Callable[..., Tensor]) -> None:
    rule = AMSGrad(beta2=0.5, bias_correction=False)
    state, last = rule.init(numbers(0, DIM)), torch.zeros(DIM, dtype=torch.float64)
    for t, g in enumerate(numbers(1, 30, DIM)):
        rule.direction(g / (1 + t), state)
        p = rule.preconditioner(state)
        assert (p >= last).all()
        last = p
    assert (last > state["average"].sqrt() + rule.eps).any()


def test_preconditioner_keeps_a_dead_coordinate_out() -> None:
    """P = ∞ there, so that q = P^(−½) is 0 and q⊙Hq is finite."""
    rule, g = Adam(eps=0.0), torch.tensor([1.0, 0.0])
    state = rule.init(g)
    rule.direction(g, state)
    q = rule.preconditioner(state).rsqrt()
    assert q[1] == 0
    assert q[0] == pytest.approx(1.0, rel=1e-6)
