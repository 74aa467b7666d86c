"""AdaBelief: Adam that divides by how far a gradient is from what its average led one to expect."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from aeos.optimizers.rules.adam import Adam
from aeos.optimizers.rules.base import State, at, average_


@dataclass(frozen=True)
class AdaBelief(Adam):
    """Adam with v ← β₂v + (1 − β₂)(g − m)², where m already contains g

    The paper (Zhuang et al., arXiv 2010.07468) adds its ε to v at every step and to the root once more: that is
    eps = ε, eps_root = ε/(1 − β₂), up to rounding. Here, as in every rule, eps_root is 0 unless given.
    """

    name = "adabelief"

    def accumulate_(self, state: State, grad: Tensor) -> None:
        # m is still the average of the steps before: g − (β₁m + (1 − β₁)g) = β₁(g − m).
        surprise = (grad - state["m"]).mul_(at(self.beta1, grad))
        average_(state["v"], surprise.square_(), self.beta2)
