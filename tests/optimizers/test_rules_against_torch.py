"""Every rule that torch has, against torch: a wrong coefficient, a misplaced eps, L2 taken for decoupled decay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, optim

from aeos.optimizers import KAdam, RMSpropW
from aeos.optimizers.rules import EMA, GD, Adagrad, Adam, AMSGrad, HeavyBall, NAdam, Nesterov, RMSprop, Rule
from aeos.optimizers.rules import KAdam as KAdamRule

EPS = 1e-3  # large enough that its place matters
BETAS = {"beta1": 0.8, "beta2": 0.95}
L2: dict[str, Any] = {"weight_decay": 0.1, "decoupled": False}
DECAY: dict[str, Any] = {"weight_decay": 0.1, "decoupled": True}


def adam(**more: Any) -> Callable[[list[Tensor]], optim.Optimizer]:
    return lambda p: optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=EPS, **more)


def adamw(**more: Any) -> Callable[[list[Tensor]], optim.Optimizer]:
    return lambda p: optim.AdamW(p, lr=0.02, betas=(0.8, 0.95), eps=EPS, **more)


def nadam(**more: Any) -> Callable[[list[Tensor]], optim.Optimizer]:
    return lambda p: optim.NAdam(p, lr=0.02, betas=(0.8, 0.95), eps=EPS, momentum_decay=0.01, **more)


def sgd(**more: Any) -> Callable[[list[Tensor]], optim.Optimizer]:
    return lambda p: optim.SGD(p, lr=0.05, **more)


CASES: dict[str, tuple[Rule, Callable[[list[Tensor]], optim.Optimizer]]] = {
    "gd": (GD(lr=0.05), sgd()),
    "gd-l2": (GD(lr=0.05, **L2), sgd(weight_decay=0.1)),
    "gd-decay": (GD(lr=0.05, **DECAY), sgd(weight_decay=0.1)),
    "heavy-ball": (HeavyBall(lr=0.05, momentum=0.7), sgd(momentum=0.7)),
    "heavy-ball-l2": (HeavyBall(lr=0.05, momentum=0.7, **L2), sgd(momentum=0.7, weight_decay=0.1)),
    "nesterov": (Nesterov(lr=0.05, momentum=0.7), sgd(momentum=0.7, nesterov=True)),
    "nesterov-l2": (Nesterov(lr=0.05, momentum=0.7, **L2), sgd(momentum=0.7, nesterov=True, weight_decay=0.1)),
    "ema": (EMA(lr=0.05 / 0.3, beta1=0.7), sgd(momentum=0.7)),
    "rmsprop": (
        RMSprop(lr=0.02, beta2=0.9, eps=EPS, bias_correction=False),
        lambda p: optim.RMSprop(p, lr=0.02, alpha=0.9, eps=EPS),
    ),
    "rmsprop-l2": (
        RMSprop(lr=0.02, beta2=0.9, eps=EPS, bias_correction=False, **L2),
        lambda p: optim.RMSprop(p, lr=0.02, alpha=0.9, eps=EPS, weight_decay=0.1),
    ),
    "adagrad": (Adagrad(lr=0.1, eps=EPS), lambda p: optim.Adagrad(p, lr=0.1, eps=EPS)),
    "adagrad-l2": (Adagrad(lr=0.1, eps=EPS, **L2), lambda p: optim.Adagrad(p, lr=0.1, eps=EPS, weight_decay=0.1)),
    "adam": (Adam(lr=0.02, eps=EPS, **BETAS), adam()),
    "adam-l2": (Adam(lr=0.02, eps=EPS, **BETAS, **L2), adam(weight_decay=0.1)),
    "adamw": (Adam(lr=0.02, eps=EPS, **BETAS, **DECAY), adamw(weight_decay=0.1)),
    "amsgrad-l2": (AMSGrad(lr=0.02, eps=EPS, **BETAS, **L2), adam(weight_decay=0.1, amsgrad=True)),
    "amsgrad-decay": (AMSGrad(lr=0.02, eps=EPS, **BETAS, **DECAY), adamw(weight_decay=0.1, amsgrad=True)),
    "nadam-l2": (NAdam(lr=0.02, eps=EPS, momentum_decay=0.01, **BETAS, **L2), nadam(weight_decay=0.1)),
    "nadam-decay": (
        NAdam(lr=0.02, eps=EPS, momentum_decay=0.01, **BETAS, **DECAY),
        nadam(weight_decay=0.1, decoupled_weight_decay=True),
    ),
    "kadam-1": (KAdamRule(lr=0.02, eps=EPS, k=1, **BETAS, **DECAY), adamw(weight_decay=0.1)),
}


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """torch keeps the momentum product of its NAdam in the default precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def walk_torch(make: Callable[[list[Tensor]], Any], gradient: Callable[..., Tensor], start: Tensor) -> Tensor:
    theta = start.clone().requires_grad_()
    optimizer = make([theta])
    for k in range(100):
        theta.grad = gradient(theta.detach(), k)
        optimizer.step()
    return theta.detach()


@pytest.mark.parametrize("name", CASES)
def test_hundred_steps_equal_torchs(
    name: str, numbers: Callable[..., Tensor], gradient: Callable[..., Tensor], walk: Callable[..., Tensor]
) -> None:
    rule, make = CASES[name]
    start = numbers(0, 21)
    ours, theirs = walk(rule, start, 100), walk_torch(make, gradient, start)
    assert (theirs - start).abs().max() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("strategy", ["naive", "uniform", "exp", "inverse_exp"])
def test_kadam_class_with_k_1_is_adamw(
    strategy: str, numbers: Callable[..., Tensor], gradient: Callable[..., Tensor]
) -> None:
    more: dict[str, Any] = {"lr": 0.02, "betas": (0.8, 0.95), "eps": EPS, "weight_decay": 0.1}
    ours = walk_torch(lambda p: KAdam(p, k=1, strategy=strategy, **more), gradient, numbers(0, 21))
    theirs = walk_torch(lambda p: optim.AdamW(p, **more), gradient, numbers(0, 21))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_rmspropw_class_without_decay_is_torchs_rmsprop(
    numbers: Callable[..., Tensor], gradient: Callable[..., Tensor]
) -> None:
    ours = walk_torch(RMSpropW, gradient, numbers(0, 21))
    theirs = walk_torch(optim.RMSprop, gradient, numbers(0, 21))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_nadam_without_decay_keeps_beta1_where_torch_halves_it(
    numbers: Callable[..., Tensor], gradient: Callable[..., Tensor], walk: Callable[..., Tensor]
) -> None:
    start = numbers(0, 21)
    theirs = walk_torch(lambda p: optim.NAdam(p, betas=(0.8, 0.95), momentum_decay=0), gradient, start)
    tiny = walk(NAdam(lr=2e-3, momentum_decay=1e-300, **BETAS), start, 100)
    torch.testing.assert_close(tiny, theirs, rtol=1e-12, atol=1e-12)
    assert NAdam(beta1=0.8, momentum_decay=0.0).mu(7) == 0.8
    assert (walk(NAdam(lr=2e-3, momentum_decay=0.0, **BETAS), start, 100) - theirs).abs().max() > 1e-4
