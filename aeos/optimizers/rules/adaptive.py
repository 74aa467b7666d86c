"""Gradients divided by the root of their second moment, and the one preconditioner that all adaptive rules share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from aeos.errors import BadInput
from aeos.optimizers.rules.base import Hyper, Rule, State, at, average_, counter, tick


def each(rate: Hyper, f: Callable[[float], float]) -> Hyper:
    """f of a hyperparameter, computed by Python for each member of an ensemble.

    torch's pow and sqrt round unlike Python's: a member would not be its single run to the bit. Keep hyperparameters on
    the CPU, whatever the device of θ: reading them from another one waits for it.
    """
    if isinstance(rate, Tensor):
        values = [f(r) for r in rate.flatten().tolist()]
        return torch.tensor(values, dtype=torch.float64, device=rate.device).view(rate.shape)
    return f(rate)


def total_weight(rate: Hyper, step: int) -> Hyper:
    """1 − rate^step: what the weights of a moving average that began at zero add up to; shape of `rate`."""
    return each(rate, lambda r: 1 - r**step)


def is_positive(x: Hyper) -> bool:
    """True where that is certain without looking into a tensor."""
    return not isinstance(x, Tensor) and x > 0


def divisor(
    v: Tensor,
    weight: Hyper,
    eps: Hyper,
    eps_root: Hyper = 0.0,
    power: Hyper = 0.5,
    scale: Hyper = 1.0,
    out: Tensor | None = None,
) -> Tensor:
    """scale·P,  P = (v/weight + eps_root)^power + eps, and ∞ where that is 0; v's shape, in `out` or a fresh tensor.

    ∞ says that a coordinate without any gradient so far does not move: u = m/P is 0 there instead of 0/0.
    """
    half = not isinstance(power, Tensor) and power == 0.5
    shifted = v + at(eps_root * weight, v) if isinstance(eps_root, Tensor) or eps_root > 0 else v
    p = torch.sqrt(shifted, out=out) if half else torch.pow(shifted, at(power, v), out=out)
    factor = scale / (each(weight, math.sqrt) if half else weight**power)
    if isinstance(factor, Tensor) or factor != 1:
        p.mul_(at(factor, v))
    if isinstance(eps, Tensor) or eps > 0:
        p.add_(at(scale * eps, v))
    if not (is_positive(eps) or is_positive(eps_root)):
        p.masked_fill_(p == 0, math.inf)
    return p


@dataclass(frozen=True)
class Adaptive(Rule):
    """u = g/P,  P = (v/weight + eps_root)^½ + eps

    `eps` stands outside the root as in torch and in most papers, `eps_root` inside it; P contains neither lr nor the
    first moment's bias correction. With eps = eps_root = 0, u is invariant to g → cg and 0 where v is 0.
    After `freeze` steps P stays as it is: v and its weight rest, momentum goes on.
    """

    lr: Hyper = 1e-3
    eps: Hyper = 1e-8
    eps_root: Hyper = 0.0
    freeze: int | None = None

    def init(self, theta: Tensor) -> State:
        return {"step": counter(), "v": torch.zeros_like(theta)}

    @abstractmethod
    def accumulate_(self, state: State, grad: Tensor) -> None:
        """v ← v(g), in place."""

    def advance_(self, state: State, grad: Tensor) -> int:
        """Count this step, let v see its gradient unless P is frozen, and return its number."""
        step = tick(state)
        if self.freeze is None or step <= self.freeze:
            self.accumulate_(state, grad)
        return step

    def weight(self, step: int) -> Hyper:
        """What v is divided by under the root after so many steps."""
        return 1.0

    def divisor(self, state: State, step: int, scale: Hyper = 1.0) -> Tensor:
        """scale·P, shape of v: a fresh tensor."""
        return divisor(state["v"], self.weight(step), self.eps, self.eps_root, scale=scale)

    def preconditioner(self, state: State) -> Tensor:
        """P of the step that led to this state, so that u = (first moment)/P; shape of v, ∞ where v = eps = 0.

        v already contains the gradient at which that step began: with it goes the Hessian at the same parameters.
        Raises BadInput before the first step.
        """
        step = int(state["step"])
        if step == 0:
            raise BadInput("preconditioner: there is none before the first step; take one, or measure later")
        return self.divisor(state, step)

    def direction(self, grad: Tensor, state: State) -> Tensor:
        p = self.divisor(state, self.advance_(state, grad))
        return torch.div(grad, p, out=p) if p.shape == grad.shape else grad / p


@dataclass(frozen=True)
class RMSprop(Adaptive):
    """v ← β₂v + (1 − β₂)g²,  u = g/P,  P = (v/(1 − β₂ᵗ) + eps_root)^½ + eps

    With `bias_correction` off, v itself stands under the root as in torch.optim.RMSprop (whose alpha is β₂).
    """

    name = "rmsprop"

    beta2: Hyper = 0.99
    bias_correction: bool = True

    def accumulate_(self, state: State, grad: Tensor) -> None:
        average_(state["v"], grad.square(), self.beta2)

    def weight(self, step: int) -> Hyper:
        return total_weight(self.beta2, min(step, self.freeze or step)) if self.bias_correction else 1.0


@dataclass(frozen=True)
class ScalarRMSprop(RMSprop):
    """v ← β₂v + (1 − β₂)‖g‖²,  u = g/P,  P as RMSprop's but one number: shape (1,), or (points, 1) for an ensemble

    ‖g‖² runs over the last axis, all of θ, so this rule cannot work on θ in pieces.
    """

    name = "scalar_rmsprop"
    elementwise = False

    lr: Hyper = 0.03

    def init(self, theta: Tensor) -> State:
        return {"step": counter(), "v": theta.new_zeros(*theta.shape[:-1], 1)}

    def accumulate_(self, state: State, grad: Tensor) -> None:
        average_(state["v"], torch.linalg.vector_norm(grad, dim=-1, keepdim=True).square_(), self.beta2)


@dataclass(frozen=True)
class Adagrad(Adaptive):
    """v ← v + g²,  u = g/P,  P = (v + eps_root)^½ + eps

    Equals torch.optim.Adagrad without its lr_decay.
    """

    name = "adagrad"

    lr: Hyper = 0.03

    def accumulate_(self, state: State, grad: Tensor) -> None:
        state["v"].addcmul_(grad, grad)
