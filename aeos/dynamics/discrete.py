"""The optimizer itself as a process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from aeos.dynamics.process import State
from aeos.optimizers.rules.base import Hyper, Rule
from aeos.problems.base import Batch, Problem
from aeos.problems.sampling import Batches


@dataclass
class Discrete:
    """θ_{k+1} = rule(θ_k, ∇L_B(θ_k)) with learning rate schedule(k)·rule.lr.

    B is the full training set, or the seeded minibatch `batches.indices(k)`: a function of k alone, so a process
    that continues from step k sees the same data as one that never stopped.
    """

    problem: Problem
    rule: Rule
    batches: Batches | None = None
    schedule: Callable[[int], float] | None = None
    name: str = "discrete"

    def init(self, theta: Tensor) -> State:
        theta = theta.detach().clone()
        return State(theta, memory=self.rule.init(theta))

    def lr(self, step: int) -> Hyper:
        return self.rule.lr if self.schedule is None else self.schedule(step) * self.rule.lr

    def batch(self, step: int) -> Batch | None:
        return None if self.batches is None else self.problem.batch(self.batches.indices(step))

    def look(self, state: State) -> tuple[Tensor, Tensor]:
        """(loss, gradient) of the step that leaves here; computed once, then used by observers and by `advance`."""
        if state.pending is None:
            state.pending = self.problem.value_and_gradient(state.theta, self.batch(state.step))
        return state.pending

    def healthy(self, state: State) -> bool:
        return math.isfinite(self.look(state)[0].sum().item())

    def advance(self, state: State) -> State:
        _, gradient = self.look(state)
        state.update = self.rule.update_(state.theta, gradient, state.memory, self.lr(state.step))
        state.step += 1
        state.pending = None
        return state
