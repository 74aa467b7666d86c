"""The torch.optim side: parameters in pieces, groups, schedulers, checkpoints, and what is refused."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from aeos.errors import BadInput
from aeos.optimizers import EMAMomentum, FromRule, KAdam, Padam, RMSpropW, ScalarRMSprop, SignSGD, rules
from aeos.optimizers.rules import Rule

Make = Callable[..., FromRule]
SHAPES = ((3, 4), (5,), (2, 1, 3))

DECAY: dict[str, Any] = {"lr": 0.02, "weight_decay": 0.1}
PAIRS: dict[str, tuple[Make, Rule]] = {
    "kadam": (
        lambda p: KAdam(p, betas=(0.8, 0.99), k=3, strategy="exp", eps=1e-4, **DECAY),
        rules.KAdam(beta1=0.8, beta2=0.99, k=3, strategy="exp", eps=1e-4, **DECAY),
    ),
    "kadam-stages": (
        lambda p: KAdam(p, stages=[(0.5, 0.9), (0.0, 0.99)], **DECAY),
        rules.KAdam(stages=[(0.5, 0.9), (0.0, 0.99)], **DECAY),
    ),
    "signsgd": (lambda p: SignSGD(p, **DECAY), rules.SignSGD(**DECAY)),
    "ema": (lambda p: EMAMomentum(p, momentum=0.7, **DECAY), rules.EMA(beta1=0.7, **DECAY)),
    "rmspropw": (
        lambda p: RMSpropW(p, alpha=0.9, eps=1e-4, **DECAY),
        rules.RMSprop(beta2=0.9, eps=1e-4, bias_correction=False, **DECAY),
    ),
    "scalar": (lambda p: ScalarRMSprop(p, alpha=0.9, **DECAY), rules.ScalarRMSprop(beta2=0.9, **DECAY)),
    "padam": (
        lambda p: Padam(p, betas=(0.8, 0.99), power=0.3, **DECAY),
        rules.Padam(beta1=0.8, beta2=0.99, power=0.3, **DECAY),
    ),
    "any rule": (
        lambda p: FromRule(p, rules.NAdam(momentum_decay=0.01, decoupled=False, **DECAY)),
        rules.NAdam(momentum_decay=0.01, decoupled=False, **DECAY),
    ),
}


class Net:
    """Three parameters, their gradients those of ½‖p‖² + noise_k·p."""

    def __init__(self, numbers: Callable[..., Tensor], dtype: torch.dtype = torch.float64) -> None:
        self.numbers = numbers
        self.params = [numbers(i, *s).to(dtype).requires_grad_() for i, s in enumerate(SHAPES)]

    def give_gradients(self, step: int) -> None:
        for i, p in enumerate(self.params):
            p.grad = p.detach() + self.numbers(1000 * step + i, *p.shape).to(p.dtype)

    def run(self, optimizer: torch.optim.Optimizer, steps: range) -> None:
        for k in steps:
            self.give_gradients(k)
            optimizer.step()

    def flat(self, gradients: bool = False) -> Tensor:
        tensors = [p.grad if gradients else p for p in self.params]
        return torch.cat([t.detach().reshape(-1) for t in tensors if t is not None])


@pytest.mark.parametrize("name", PAIRS)
def test_parameters_in_pieces_are_one_vector_to_the_rule(name: str, numbers: Callable[..., Tensor]) -> None:
    make, rule = PAIRS[name]
    net = Net(numbers)
    theta, optimizer = net.flat(), make(net.params)
    state = rule.init(theta)
    for k in range(30):
        net.give_gradients(k)
        rule.update_(theta, net.flat(gradients=True), state)
        optimizer.step()
        torch.testing.assert_close(net.flat(), theta, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PAIRS)
def test_a_loaded_state_continues_to_the_bit(name: str, dtype: torch.dtype, numbers: Callable[..., Tensor]) -> None:
    make, _ = PAIRS[name]
    net = Net(numbers, dtype)
    optimizer = make(net.params)
    net.run(optimizer, range(7))
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    other = Net(numbers, dtype)
    for mine, theirs in zip(other.params, net.params, strict=True):
        mine.data.copy_(theirs.detach())
    resumed = make([{"params": other.params, "lr": 0.9}])
    resumed.load_state_dict(torch.load(file, weights_only=True))
    net.run(optimizer, range(7, 12))
    other.run(resumed, range(7, 12))
    assert torch.equal(net.flat(), other.flat())


@pytest.mark.parametrize("name", PAIRS)
def test_a_copy_is_independent_and_whole(name: str, numbers: Callable[..., Tensor]) -> None:
    net = Net(numbers)
    optimizer = PAIRS[name][0](net.params)
    net.run(optimizer, range(3))
    at_copy = net.flat()
    both = copy.deepcopy({"optimizer": optimizer, "params": net.params})
    for p in both["params"]:
        p.grad = torch.ones_like(p)
    both["optimizer"].step()
    assert torch.equal(net.flat(), at_copy)
    assert not torch.equal(torch.cat([p.detach().reshape(-1) for p in both["params"]]), at_copy)


def test_scheduler_scales_each_step(numbers: Callable[..., Tensor]) -> None:
    net, rule = Net(numbers), rules.KAdam(**DECAY)
    theta, optimizer = net.flat(), KAdam(net.params, **DECAY)
    state = rule.init(theta)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (1 + k))
    for k in range(6):
        net.give_gradients(k)
        rule.update_(theta, net.flat(gradients=True), state, lr=0.02 / (1 + k))
        optimizer.step()
        scheduler.step()
    torch.testing.assert_close(net.flat(), theta, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ["kadam", "ema"])
def test_one_cycle_moves_the_momentum_too(name: str, numbers: Callable[..., Tensor]) -> None:
    net = Net(numbers)
    optimizer = PAIRS[name][0](net.params)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10, base_momentum=0.6)
    seen = []
    for k in range(9):
        net.run(optimizer, range(k, k + 1))
        seen.append(optimizer.param_groups[0].get("momentum") or optimizer.param_groups[0]["betas"][0])
        scheduler.step()
    assert min(seen) == pytest.approx(0.6, abs=0.02)
    assert net.flat().isfinite().all()


def test_groups_have_their_own_settings(numbers: Callable[..., Tensor]) -> None:
    net = Net(numbers)
    start = [p.detach().clone() for p in net.params]
    groups = [{"params": net.params[:1], "lr": 0.5}, {"params": net.params[1:], "weight_decay": 1.0}]
    net.run(SignSGD(groups, lr=0.25), range(1))
    signs = [p.grad.sign() for p in net.params if p.grad is not None]
    torch.testing.assert_close(net.params[0].detach(), start[0] - 0.5 * signs[0], rtol=0, atol=1e-15)
    torch.testing.assert_close(net.params[1].detach(), 0.75 * start[1] - 0.25 * signs[1], rtol=0, atol=1e-15)


def test_scalar_rmsprop_takes_the_norm_of_a_group(numbers: Callable[..., Tensor]) -> None:
    """First step, no eps: every group moves by lr in Euclidean norm, however its gradient is cut into tensors."""
    net = Net(numbers)
    start = net.flat()
    net.run(ScalarRMSprop([{"params": net.params[:2]}, {"params": net.params[2:]}], lr=0.1, eps=0.0), range(1))
    moved = net.flat() - start
    assert moved[:17].norm().item() == pytest.approx(0.1, rel=1e-14)
    assert moved[17:].norm().item() == pytest.approx(0.1, rel=1e-14)


@pytest.mark.parametrize("name", PAIRS)
def test_parameters_without_gradient_are_left_alone(name: str, numbers: Callable[..., Tensor]) -> None:
    net = Net(numbers)
    start = net.params[0].detach().clone()
    optimizer = PAIRS[name][0](net.params)
    for k in range(3):
        net.give_gradients(k)
        net.params[0].grad = None
        optimizer.step()
    assert torch.equal(net.params[0].detach(), start)
    assert net.flat().isfinite().all()
    net.run(optimizer, range(3, 5))
    assert not torch.equal(net.params[0].detach(), start)


def test_closure_is_evaluated_with_gradients_and_returned() -> None:
    p = torch.tensor([3.0], requires_grad=True)
    optimizer = SignSGD([p], lr=1.0)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (p**2).sum()
        loss.backward()
        return loss

    assert [optimizer.step(closure).item() for _ in range(3)] == [9.0, 4.0, 1.0]


def test_sparse_gradients_are_refused() -> None:
    layer = torch.nn.Embedding(4, 2, sparse=True)
    layer(torch.tensor([1])).sum().backward()
    with pytest.raises(BadInput, match="KAdam: gradients must be dense"):
        KAdam(layer.parameters()).step()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: KAdam(p, lr=-1.0), "lr=-1.0: must be a number >= 0, at most 1e+12"),
        (lambda p: KAdam(p, betas=(0.9, 1.0)), "beta2=1.0: must be in [0, 1)"),
        (lambda p: KAdam(p, betas=0.9), "betas=0.9: must be a pair (beta1, beta2)"),
        (lambda p: KAdam(p, k=0), "k=0: must be an integer >= 1"),
        (lambda p: KAdam(p, k=1.5), "k=1.5: must be an integer >= 1"),
        (lambda p: KAdam(p, strategy="best"), "strategy=best: must be one of naive, uniform, exp, inverse_exp"),
        (lambda p: KAdam(p, stages=[(0.9, 1.5)]), "stages=[(0.9, 1.5)]: must be a list of (beta1, beta2) pairs"),
        (lambda p: KAdam([{"params": p, "betas": (1.0, 0.9)}]), "beta1=1.0: must be in [0, 1)"),
        (lambda p: Padam(p, power=0.0), "power=0.0: must be in (0, 0.5]"),
        (lambda p: RMSpropW(p, alpha=float("nan")), "beta2=nan: must be in [0, 1)"),
        (lambda p: EMAMomentum(p, momentum=1.0), "beta1=1.0: must be in [0, 1)"),
        (lambda p: ScalarRMSprop(p, eps=None), "eps=None: must be a number >= 0, at most 1e+12"),
        (lambda p: SignSGD(p, weight_decay="much"), "weight_decay=much: must be a number >= 0, at most 1e+12"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(make: Make, says: str) -> None:
    with pytest.raises(BadInput) as error:
        make([torch.zeros(2, requires_grad=True)])
    assert str(error.value).startswith(says)
    assert "\n" not in str(error.value)


def test_a_refused_group_is_not_added() -> None:
    optimizer = SignSGD([torch.zeros(2, requires_grad=True)])
    with pytest.raises(BadInput, match="lr=-1"):
        optimizer.add_param_group({"params": [torch.zeros(2, requires_grad=True)], "lr": -1})
    assert len(optimizer.param_groups) == 1
