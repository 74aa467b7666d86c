"""What an optimizer is with steps of no length: gradient flow, and its like with a preconditioner."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from aeos.curvature import NotFinite, Preconditioned, SharpnessTracker
from aeos.dynamics.flows.flow import Flow
from aeos.dynamics.process import State
from aeos.errors import BadInput

TOLERANCE = 0.05  # relative, of a sharpness that only chooses a step


@dataclass
class StableFlow(Flow):
    """θ′ = −g/P(ν) − ηλθ,  ν′ = a(g² − ν),  a = (1 − β₂)/β₂

    of RMSprop and scalar RMSprop; P, in units with 1/η, and c as in `Averaged`, g and λ as in `Flow`. At k it has gone
    for k of the optimizer's steps, a schedule's η constant in each. Runge and Kutta's method of fourth order in
    ⌈ηS/reach⌉ equal parts of a step, or `parts` if that is more, ηS the largest eigenvalue of P⁻¹(H + ridge), measured
    anew every `refresh` steps: stable for parts with ηS up to 2.78. Four gradients a part.

    Raises BadInput as `Flow` does, for reach outside of (0, 2.5] and for no parts. Cohen et al., arXiv 2410.24206.
    """

    name: str = "stable_flow"
    reach: float = 1.0
    refresh: int = 5
    parts: int = 4  # where a gradient passes zero, P follows faster than S says

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.reach <= 2.5 or self.refresh < 1 or self.parts < 1:
            given = f"reach={self.reach}, refresh={self.refresh}, parts={self.parts}"
            raise BadInput(f"{given}: must be in (0, 2.5], >= 1 and >= 1")

    def begin(self, state: State) -> State:
        state = super().begin(state)
        state.memory["sharpness"] = torch.zeros((), dtype=torch.float64)
        return state

    def advance(self, state: State) -> State:
        if state.step % self.refresh == 0 or not state.tracker:
            self._measure(state)
        lr = self.lr(state.step)
        fastest = max(lr * float(state.memory["sharpness"]), self.preconditioner.rate)
        parts = max(self.parts, math.ceil(fastest / self.reach))
        h, g = 1 / parts, self.look(state)[1]
        now = {"theta": state.theta, **state.memory}
        for part in range(parts):
            k1 = self._slopes(now, lr, g if part == 0 else None)
            k2 = self._slopes(_moved(now, k1, h / 2), lr)
            k3 = self._slopes(_moved(now, k2, h / 2), lr)
            k4 = self._slopes(_moved(now, k3, h), lr)
            for key, slope in k1.items():
                now[key].add_(slope.add_(k4[key]).add_(k2[key].add_(k3[key]), alpha=2), alpha=h / 6)
        state.step += 1
        state.pending = None
        return state

    def _slopes(self, now: dict[str, Tensor], lr: float, gradient: Tensor | None = None) -> dict[str, Tensor]:
        """d/dt of all that moves: fresh tensors."""
        theta = now["theta"]
        g = self.problem.value_and_gradient(theta)[1] if gradient is None else gradient
        g = g + self.ridge * theta if self.ridge else g
        step = -g / self.preconditioner.p(now, lr, theta)
        step = step.sub_(theta, alpha=lr * self.decay) if self.decay else step
        return {"theta": step, **self.preconditioner.drift(now, g)}

    def _measure(self, state: State) -> None:
        tracker = SharpnessTracker(tol=TOLERANCE)
        if state.tracker:
            tracker.unpack(state.tracker)
        operator = Preconditioned(self.discrete.hessian_at(state.theta), self.divisor(state), self.ridge)
        try:
            state.memory["sharpness"] = tracker.measure(operator, state.theta).values[0].double().cpu()
        except NotFinite:
            state.theta.fill_(torch.nan)  # it has diverged
        state.tracker = tracker.pack()


@dataclass
class GradientFlow(StableFlow):
    """θ′ = −η(∇L(θ) + λθ), in time that counts the steps of gradient descent: at k it has gone for Σ η_j, j < k

    λ is the weight decay; the method is `StableFlow`'s. Raises BadInput for another optimizer than gd, whose limit it
    is, and for minibatches or noise. Cohen et al., arXiv 2103.00065.
    """

    name: str = "gradient_flow"
    parts: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        rule = self.discrete.rule.name
        if rule != "gd":
            raise BadInput(f"optimizer={rule}: gradient flow is what gradient descent is in the limit; set gd")


def _moved(now: dict[str, Tensor], slopes: dict[str, Tensor], h: float) -> dict[str, Tensor]:
    return now | {key: torch.add(now[key], slope, alpha=h) for key, slope in slopes.items()}
