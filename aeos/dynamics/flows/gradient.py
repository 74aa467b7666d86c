"""What gradient descent is with steps of no length."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from aeos.curvature import lanczos
from aeos.dynamics.discrete import Discrete
from aeos.dynamics.process import State
from aeos.errors import BadInput
from aeos.problems.base import Problem

TOLERANCE = 0.05  # relative, of a sharpness that only chooses a step
PRODUCTS = 30  # at most for it
MIXED = 0.1  # noise in its start: a pure last vector would follow that eigenvalue where another overtakes it


@dataclass
class GradientFlow:
    """θ′ = −η(∇L(θ) + λθ), in time that counts the steps of gradient descent: at k it has gone for Σ η_j, j < k

    λ is the weight decay. Runge and Kutta's method of fourth order in ⌈ηS/reach⌉ equal parts of a step, S the largest
    eigenvalue of ∇²L + λ, measured anew every `refresh` steps: stable for parts with ηS up to 2.78. Four gradients
    a part.

    Raises BadInput for another optimizer than gd, whose limit it is, and for minibatches or noise.
    Cohen et al., arXiv 2103.00065.
    """

    discrete: Discrete
    reach: float = 1.0
    refresh: int = 5
    name: str = "gradient_flow"
    problem: Problem = field(init=False)

    def __post_init__(self) -> None:
        self.problem = self.discrete.problem
        rule: Any = self.discrete.rule
        if rule.name != "gd":
            raise BadInput(f"optimizer={rule.name}: gradient flow is what gradient descent is in the limit; set gd")
        if self.discrete.batches is not None or self.discrete.noise is not None:
            raise BadInput("batch_size: gradient flow is of the full batch; set batch_size=null")
        if not 0 < self.reach <= 2.5 or self.refresh < 1:
            raise BadInput(f"reach={self.reach}, refresh={self.refresh}: must be in (0, 2.5], and >= 1")
        self.decay = float(rule.weight_decay)

    def lr(self, step: int) -> float:
        return float(self.discrete.lr(step))

    def init(self, theta: Tensor) -> State:
        theta = theta.detach().clone()
        generator = torch.Generator().manual_seed(0)
        vector = torch.randn(theta.shape, generator=generator, dtype=torch.float64).to(theta)
        return State(
            theta, memory={"vector": vector / vector.norm(), "sharpness": torch.zeros((), dtype=torch.float64)}
        )

    def look(self, state: State) -> tuple[Tensor, Tensor]:
        if state.pending is None:
            state.pending = self.problem.value_and_gradient(state.theta)
        return state.pending

    def healthy(self, state: State) -> bool:
        return math.isfinite(self.look(state)[0].item())

    def advance(self, state: State) -> State:
        if state.step % self.refresh == 0:
            self._measure(state)
        lr, theta = self.lr(state.step), state.theta
        parts = max(1, math.ceil(lr * float(state.memory["sharpness"]) / self.reach))
        h, first = lr / parts, self.look(state)[1] + self.decay * theta
        for part in range(parts):
            k1 = self._slope(theta) if part else first
            k2 = self._slope(theta - h / 2 * k1)
            k3 = self._slope(theta - h / 2 * k2)
            k4 = self._slope(theta - h * k3)
            theta.sub_(k2.add_(k3).mul_(2).add_(k1).add_(k4), alpha=h / 6)
        state.step += 1
        state.pending = None
        return state

    def _slope(self, theta: Tensor) -> Tensor:
        """∇L + λθ."""
        return self.problem.value_and_gradient(theta)[1] + self.decay * theta

    def _measure(self, state: State) -> None:
        """S and its eigenvector, from the last one and a little of a vector that is a function of the step."""
        generator = torch.Generator().manual_seed(state.step)
        noise = torch.randn(state.theta.shape, generator=generator, dtype=torch.float64).to(state.theta)
        start = state.memory["vector"] + MIXED / noise.norm() * noise
        found = lanczos(
            self.discrete.hessian_at(state.theta),
            state.theta,
            tol=TOLERANCE,
            start=start,
            generator=generator,
            most=PRODUCTS,
        )
        state.memory["vector"] = found.vectors[0].to(state.theta)
        state.memory["sharpness"] = found.values[0].double().cpu() + self.decay
