"""What flows of an optimizer without momentum share: where they begin, their learning rate, their preconditioner."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from aeos.dynamics.discrete import Discrete
from aeos.dynamics.flows.preconditioner import Preconditioner, preconditioner
from aeos.dynamics.process import State
from aeos.errors import BadInput
from aeos.problems.base import Problem


@dataclass
class Flow:
    """A flow of (θ, ν, c) in time that counts the optimizer's steps; P and ν as in `Preconditioner`.

    Decay λ that is L2, and gradient descent's, belongs to the loss: g = ∇L + λθ, H + λI. Decoupled decay moves θ by
    −ηλθ beside −g/P. A process begins at θ₀ (`init`) or where an optimizer is (`begin`).

    Raises BadInput for an optimizer that has no such flow, and for minibatches or noise.
    """

    discrete: Discrete
    name: str = "flow"
    problem: Problem = field(init=False)
    preconditioner: Preconditioner = field(init=False)

    def __post_init__(self) -> None:
        self.problem = self.discrete.problem
        rule: Any = self.discrete.rule
        self.preconditioner = preconditioner(rule)
        if self.discrete.batches is not None or self.discrete.noise is not None:
            raise BadInput("batch_size: the flows are of the full batch; set batch_size=null")
        decay, decoupled = float(rule.weight_decay), rule.decoupled and rule.name != "gd"
        self.ridge, self.decay = (0.0, decay) if decoupled else (decay, 0.0)

    def lr(self, step: int) -> float:
        return float(self.discrete.lr(step))

    def divisor(self, state: State) -> Tensor:
        """ηP, (1,) or (d,): what the rule itself calls its preconditioner."""
        return self.preconditioner.p(state.memory, 1.0, state.theta)

    def init(self, theta: Tensor) -> State:
        return self.begin(self.discrete.init(theta))

    def begin(self, state: State) -> State:
        """From an optimizer's state at step k: at its second-order midpoint, with ν of the step that leaves θ_k."""
        ahead, memory = self.discrete.ahead(state)
        theta = self.discrete.midpoint(state, ahead)
        return State(theta, state.step, self.preconditioner.begin(memory))

    def look(self, state: State) -> tuple[Tensor, Tensor]:
        """(L, ∇L) at θ; computed once."""
        if state.pending is None:
            state.pending = self.problem.value_and_gradient(state.theta)
        return state.pending

    def healthy(self, state: State) -> bool:
        return math.isfinite(self.look(state)[0].item())
