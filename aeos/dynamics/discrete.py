"""The optimizer itself as a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from aeos.curvature import Hessian
from aeos.dynamics.process import State
from aeos.optimizers.rules.base import Hyper, Rule
from aeos.problems.base import Batch, Problem
from aeos.problems.sampling import Batches, GradientNoise


@dataclass
class Discrete:
    """θ_{k+1} = rule(θ_k, ∇L_B(θ_k)) with learning rate schedule(k)·rule.lr.

    B is the full training set, or the seeded minibatch `batches.indices(k)`: a function of k alone, so a process
    that continues from step k sees the same data as one that never stopped; so is the `noise` added to the gradient. On
    the full batch, every `graph`-th step takes its gradient from the graph of `hessian`: curvature measured there does
    not pay for it again. An ensemble is θ of shape (points, d) under a rule with hyperparameters (points, 1).
    `memory`: what the rule remembers at the start in place of its zeros. `fast`: in what its gradients, and nothing
    else, are computed, unless they come from a Hessian's graph.
    """

    problem: Problem
    rule: Rule
    batches: Batches | None = None
    schedule: Callable[[int], float] | None = None
    name: str = "discrete"
    graph: int | None = None
    noise: GradientNoise | None = None
    memory: Mapping[str, Tensor] | None = None
    fast: Callable[[], AbstractContextManager[Any]] = nullcontext

    def init(self, theta: Tensor) -> State:
        theta = theta.detach().clone()
        given = {key: value.expand_as(theta).clone() for key, value in (self.memory or {}).items()}
        return State(theta, memory=self.rule.init(theta) | given)

    def begin(self, state: State) -> State:
        """A copy of a state of this optimizer, to go on from."""
        memory = {key: value.clone() for key, value in state.memory.items()}
        return State(state.theta.clone(), state.step, memory, update=state.update)

    def lr(self, step: int) -> Hyper:
        return self.rule.lr if self.schedule is None else self.schedule(step) * self.rule.lr

    def batch(self, step: int) -> Batch | None:
        return None if self.batches is None else self.problem.batch(self.batches.indices(step))

    def look(self, state: State) -> tuple[Tensor, Tensor]:
        """(loss, gradient) of the step that leaves here; computed once, then used by observers and by `advance`."""
        if state.pending is None:
            if self.graph and self.batches is None and state.step % self.graph == 0:
                hessian = self.hessian(state)
                value, gradient = hessian.value, hessian.gradient
            else:
                with self.fast():
                    value, gradient = self.problem.value_and_gradient(state.theta, self.batch(state.step))
            state.pending = value, gradient + self.noise(state.step, gradient) if self.noise else gradient
        return state.pending

    def healthy(self, state: State) -> bool:
        """Of an ensemble: whether any member is."""
        return bool(self.look(state)[0].isfinite().any())

    def advance(self, state: State) -> State:
        _, gradient = self.look(state)
        state.update = self.rule.update_(state.theta, gradient, state.memory, self.lr(state.step))
        state.step += 1
        state.pending = state.hessian = None
        return state

    def hessian(self, state: State) -> Hessian:
        """That of the full-batch loss at θ_k; built once, gone with the next step."""
        if state.hessian is None:
            state.hessian = self.hessian_at(state.theta)
        return state.hessian

    def hessian_at(self, theta: Tensor) -> Hessian:
        return hessian_of(self.problem, theta)

    def ahead(self, state: State) -> tuple[Tensor, dict[str, Tensor]]:
        """θ_{k+1} and what the rule remembers there, P of the step to it included; the state stays where it is."""
        return self.rule.update(state.theta, self.look(state)[1], state.memory, self.lr(state.step))

    def midpoint(self, state: State, ahead: Tensor) -> Tensor:
        """θ* = (θ_{k−1} + 2θ_k + θ_{k+1})/4, in which an oscillation of period 2 cancels; a fresh tensor

        θ_{k−1} is the last step taken back. θ*_0 = θ_0, where no step led: as if the path came there straight.
        """
        if state.update is None:
            return state.theta.clone()
        lr: Any = self.lr(state.step - 1)
        decay = 1 - lr * self.rule.weight_decay if self.rule.decoupled else 1.0
        before = (state.theta + lr * state.update) / decay
        return (before + 2 * state.theta + ahead) / 4

    def threshold(self, step: int) -> float:
        """The stability threshold of the step that leaves θ_k, k = `step`.

        Without the first moment's bias correction: its 1/(1 − β₁ᵗ) passes within a few 1/(1 − β₁) steps, so that the
        lower threshold it stands for is no edge that a run could settle at.
        """
        rule: Any = self.rule
        settled = replace(rule, bias_correction=False) if hasattr(rule, "bias_correction") else rule
        return float(settled.stability_threshold(step + 1, self.lr(step)))


def hessian_of(problem: Problem, theta: Tensor, batch: Batch | None = None) -> Hessian:
    """That of the loss on a batch, None for the full one, at θ (d,); its graphs are kept where there are few."""
    pieces = problem.pieces(theta, batch)
    return Hessian(pieces, len(pieces) <= problem.graphs, problem.ranks.total)
