"""What an optimizer divides by, in continuous time: P(ν), how ν moves, and how P moves with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from aeos.errors import BadInput
from aeos.optimizers.rules.adaptive import RMSprop, divisor

Values = dict[str, Tensor]


class Preconditioner(Protocol):
    """P, of shape (1,) or (d,), in units of 1/θ'² like the Hessian: the step is −P⁻¹∇L, learning rate included."""

    @property
    def rate(self) -> float:
        """a, at which it forgets."""

    def begin(self, memory: Values) -> Values:
        """What the flow remembers, from what the rule does after the step that leaves here; fresh tensors."""

    def p(self, memory: Values, lr: float, like: Tensor) -> Tensor:
        """P, ∞ where a coordinate does not move."""

    def drift(self, memory: Values, gradient: Tensor) -> Values:
        """d memory/dt without oscillation."""

    def seen(self, x: Tensor, y: Tensor) -> Tensor:
        """How fast an oscillation δ with E[Hδ(Hδ)ᵀ] = (xyᵀ + yxᵀ)/2 raises ν: (m, d), or (m, 1) of one number."""

    def turn(self, memory: Values, lr: float, v: Tensor, weight: Tensor | float) -> Tensor:
        """dP/dt for dν/dt = v and dc/dt = weight."""


@dataclass(frozen=True)
class Constant:
    """P = 1/η: that of gradient descent, which remembers nothing."""

    rate: float = 0.0

    def begin(self, memory: Values) -> Values:
        return {}

    def p(self, memory: Values, lr: float, like: Tensor) -> Tensor:
        return like.new_tensor([lr]).reciprocal()

    def drift(self, memory: Values, gradient: Tensor) -> Values:
        return {}

    def seen(self, x: Tensor, y: Tensor) -> Tensor:
        return x.new_zeros(len(x), 1)

    def turn(self, memory: Values, lr: float, v: Tensor, weight: Tensor | float) -> Tensor:
        return torch.zeros_like(v)


@dataclass(frozen=True)
class Averaged:
    """P = ((ν/c + eps_root)^½ + eps)/η,  ν' = a(g² + E[(Hδ)²] − ν),  c' = a(1 − c),  a = (1 − β₂)/β₂

    ν is that of RMSprop, shape (d,), or of scalar RMSprop, which sums its squares, shape (1,); c its total weight,
    1 − β₂ᵗ at step t, and 1 at any time without bias correction. a: the average of one step, ν ← β₂ν + (1 − β₂)g², is
    backward Euler's. c has the equation of ν: where g² rests, ν/c is g².
    """

    rule: RMSprop

    @property
    def rate(self) -> float:
        beta2 = float(self.rule.beta2)
        return (1 - beta2) / beta2

    def begin(self, memory: Values) -> Values:
        weight = self.rule.weight(int(memory["step"]))
        return {"v": memory["v"].clone(), "weight": torch.tensor(float(weight), dtype=torch.float64)}

    def p(self, memory: Values, lr: float, like: Tensor) -> Tensor:
        return divisor(memory["v"], float(memory["weight"]), self.rule.eps, self.rule.eps_root).div_(lr)

    def drift(self, memory: Values, gradient: Tensor) -> Values:
        squares = self._squares(gradient, gradient)
        return {"v": self.rate * (squares - memory["v"]), "weight": self.rate * (1 - memory["weight"])}

    def seen(self, x: Tensor, y: Tensor) -> Tensor:
        return self.rate * self._squares(x, y)

    def turn(self, memory: Values, lr: float, v: Tensor, weight: Tensor | float) -> Tensor:
        """0 where ν = eps_root = 0: no gradient was ever seen there."""
        c = float(memory["weight"])
        under = memory["v"] / c + self.rule.eps_root
        moved = (v - memory["v"] * (float(weight) / c)) / c
        return torch.where(under > 0, moved / (2 * lr * under.sqrt()), 0.0)

    def _squares(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y if self.rule.elementwise else (x * y).sum(-1, keepdim=True)


def preconditioner(rule: Any) -> Preconditioner:
    """That of the rule. Raises BadInput when it has none in continuous time."""
    if rule.name == "gd":
        return Constant()
    if rule.name not in ("rmsprop", "scalar_rmsprop"):
        raise BadInput(f"optimizer={rule.name}: no such flow is known; set optimizer=gd, rmsprop or scalar_rmsprop")
    if rule.freeze is not None:
        raise BadInput(f"optimizer.freeze={rule.freeze}: the flows have no frozen preconditioner; set it to null")
    if rule.beta2 == 0:
        raise BadInput("optimizer.beta2=0: forgets at once, which no rate in continuous time does; set it > 0")
    return Averaged(rule)
