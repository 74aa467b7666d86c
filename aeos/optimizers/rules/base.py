"""An update rule: pure in its mathematics, in place in its arithmetic, the same for one run and for an ensemble."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

State = dict[str, Tensor]
Hyper = float | Tensor  # a number, or one per ensemble member with shape (points, 1), best in float64


def at(value: Hyper, like: Tensor) -> Hyper:
    """A hyperparameter in the precision of `like`: coefficients are formed in float64 and rounded once."""
    return value.to(like) if isinstance(value, Tensor) else value


def average_(mean: Tensor, new: Tensor, rate: Hyper) -> Tensor:
    """mean ← rate·mean + (1 − rate)·new, in place."""
    return mean.lerp_(new, at(1 - rate, mean))


def add_(x: Tensor, y: Tensor, factor: Hyper) -> Tensor:
    """x ← x + factor·y, in place; a number and a tensor of it give the same bits."""
    return x.addcmul_(y, factor.to(x)) if isinstance(factor, Tensor) else x.add_(y, alpha=factor)


@dataclass(frozen=True)
class Rule(ABC):
    """θ ← (1 − ηλ)θ − η·u(g),   or with L2 instead of decoupled decay   g ← g + λθ,  θ ← θ − η·u(g)

    Shapes: θ and g are (d,), or (points, d) for an ensemble whose hyperparameters are (points, 1) tensors.
    A subclass gives `init` and `direction`; λ, the schedule and the step itself live here, once.
    """

    elementwise: ClassVar[bool] = True  # false where coordinates of θ interact, so that θ cannot be cut into pieces

    lr: Hyper = 0.1
    weight_decay: Hyper = 0.0
    decoupled: bool = True

    def init(self, theta: Tensor) -> State:
        """What the rule remembers before the first step. Every tensor in it goes into the checkpoint."""
        return {}

    @abstractmethod
    def direction(self, grad: Tensor, state: State) -> Tensor:
        """u, shape of grad: advance `state` in place by one step and return the update direction.

        The result may share memory with `state`; it is valid until the next call. `grad` is left as it is.
        """

    def update_(self, theta: Tensor, grad: Tensor, state: State, lr: Hyper | None = None) -> Tensor:
        """One step in place on `theta` and `state`; returns u. `lr` overrides the rule's own (schedules)."""
        lr = self.lr if lr is None else lr
        decays = isinstance(self.weight_decay, Tensor) or self.weight_decay != 0
        if decays and not self.decoupled:
            grad = grad + at(self.weight_decay, theta) * theta
        u = self.direction(grad, state)
        if decays and self.decoupled:
            theta.mul_(at(1 - lr * self.weight_decay, theta))
        add_(theta, u, -lr)
        return u

    def update(self, theta: Tensor, grad: Tensor, state: State, lr: Hyper | None = None) -> tuple[Tensor, State]:
        """The same step without touching its arguments: (θ, state) → (θ', state')."""
        theta, state = theta.clone(), {key: value.clone() for key, value in state.items()}
        self.update_(theta, grad, state, lr)
        return theta, state


def counter() -> Tensor:
    """A step count that stays on the CPU, so that reading it never waits for a device."""
    return torch.zeros((), dtype=torch.int64)


def tick(state: State) -> int:
    """Advance and return the number of steps taken, this one included (torch counts alike: the first is 1)."""
    return int(state["step"].add_(1))
