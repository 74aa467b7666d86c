"""The path of an optimizer without its oscillation of period 2."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from aeos.dynamics.discrete import Discrete
from aeos.dynamics.process import State
from aeos.problems.base import Problem


@dataclass
class Midpoint:
    """θ*_k = (θ_{k−1} + 2θ_k + θ_{k+1})/4 of an optimizer that runs along; θ*_0 = θ_0

    A gradient a step, at θ_{k+1}; loss and gradient at θ* where they are asked for. Cohen et al., arXiv 2410.24206.
    """

    discrete: Discrete
    name: str = "midpoint"
    problem: Problem = field(init=False)

    def __post_init__(self) -> None:
        self.problem = self.discrete.problem

    def lr(self, step: int) -> float:
        return float(self.discrete.lr(step))

    def divisor(self, state: State) -> Tensor:
        """P of the step that leaves θ_k, as the rule has it; (1,) for P = I."""
        p = self.discrete.rule.preconditioner(_remembered(state))
        return state.theta.new_ones(1) if p is None else p

    def init(self, theta: Tensor) -> State:
        return self.begin(self.discrete.init(theta))

    def begin(self, state: State) -> State:
        """At the midpoint of an optimizer's state."""
        ahead, memory = self.discrete.ahead(state)
        return State(
            self.discrete.midpoint(state, ahead), state.step, {"here": state.theta.clone(), "ahead": ahead, **memory}
        )

    def look(self, state: State) -> tuple[Tensor, Tensor]:
        """(L, ∇L) of the full batch at θ*."""
        if state.pending is None:
            state.pending = self.problem.value_and_gradient(state.theta)
        return state.pending

    def healthy(self, state: State) -> bool:
        return bool(state.theta.isfinite().all())

    def advance(self, state: State) -> State:
        behind, here = state.memory["here"], state.memory["ahead"]
        at = State(here, state.step + 1, _remembered(state))
        ahead, memory = self.discrete.ahead(at)
        state.theta.copy_((behind + 2 * here + ahead) / 4)
        state.memory = {"here": here, "ahead": ahead, **memory}
        state.step, state.pending = at.step, None
        return state


def _remembered(state: State) -> dict[str, Tensor]:
    """What the rule itself remembers, after the step that leaves θ_k."""
    return {key: value for key, value in state.memory.items() if key not in ("here", "ahead")}
