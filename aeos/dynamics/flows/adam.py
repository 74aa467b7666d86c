"""Adam in continuous time: the published equations of its motion, and ones that stay closer to it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from aeos.dynamics.discrete import Discrete
from aeos.dynamics.process import State
from aeos.errors import BadInput
from aeos.optimizers.rules.adam import Adam
from aeos.optimizers.rules.adaptive import divisor
from aeos.problems.base import Problem

Form = Literal["order1", "order2", "corrected"]
Values = dict[str, Tensor]  # θ, m, v and, where θ″ is kept, φ = θ′/η

RELAXATION = 2.0  # the rate at which φ comes to its force


@dataclass
class ContinuousAdam:
    """θ′ = ηφ,  φ + ½φ′ = −(λθ + u),  m′ = a(g − m),  v′ = b(g² − v),  u = m̂/P,  P = (v̂ + eps_root)^½ + eps

    m̂ = m/(1 − γ^(1+s)) and v̂ = v/(1 − β^(1+s)); time s counts optimizer steps, so step k ends at s = k + 1. γ and β are
    the rule's beta1 and beta2, η and λ its learning rate in step k, schedule included, and its decay; g is the gradient
    on the batch of step k + 1, for at s = k all up to batch k is in m. u = 0 where v = eps = 0.

    `form`: order1 drops φ′; order2 keeps it, so that θ′ + ½θ″ = −η(λθ + u) where η rests; both have a = (1 − γ)/γ,
    b = (1 − β)/β. corrected keeps it, has a = −ln γ, b = −ln β and takes g half a step ahead, at θ + ½θ′: of second
    order in η where those are of first.
    `matched`: m̂ = m/(1 − γe^(−as)), v̂ alike, which is the same for corrected and takes the error of the start from
    the others. At s = 0: m = (1 − γ)g, v = (1 − β)g², φ = −(λθ + u), as after the optimizer's first average.

    Heun's method with `substeps` in a step: 2·substeps gradients. A state's `pending` and `update` are what the step
    begins with: loss and gradient where g is taken, and u.

    Gould & Tanaka, arXiv 2411.05746, Propositions 1 and 2 (order1, order2); corrected and matched are ours. Raises
    BadInput for a rule other than Adam, one whose settings have no such model, and substeps too few for stability.
    """

    discrete: Discrete
    form: Form = "order2"
    substeps: int = 4
    matched: bool = False
    name: str = "continuous_adam"
    problem: Problem = field(init=False)

    def __post_init__(self) -> None:
        if self.form not in get_args(Form):
            raise BadInput(f"form={self.form}: must be one of {', '.join(get_args(Form))}")
        self.problem, self.rule = self.discrete.problem, _modelled(self.discrete.rule)
        self.gamma, self.beta = float(self.rule.beta1), float(self.rule.beta2)
        self.a, self.b = map(_published if self.form != "corrected" else _exact, (self.gamma, self.beta))
        # Heun's method on y′ = −ry needs r/K < 2; with b/K ≤ 1 its inner steps keep v ≥ 0, too.
        fastest = max(self.a, 0.0 if self.form == "order1" else RELAXATION)
        least = max(math.floor(fastest / 2) + 1, math.ceil(self.b))
        if self.substeps < least:
            raise BadInput(f"substeps={self.substeps}: too few for the rates of this model; set substeps={least}")

    def lr(self, step: int) -> float:
        return float(self.discrete.lr(step))

    def init(self, theta: Tensor) -> State:
        theta = theta.detach().clone()
        _, g = self._gradient({"theta": theta}, 0, 0.0)
        memory = {"m": (1 - self.gamma) * g, "v": (1 - self.beta) * g.square()}
        if self.form != "order1":
            memory["phi"] = self._force({"theta": theta, **memory}, 0.0)
        return State(theta, memory=memory)

    def look(self, state: State) -> tuple[Tensor, Tensor]:
        """(loss, gradient) that the step leaving here begins with; computed once."""
        if state.pending is None:
            now = {"theta": state.theta, **state.memory}
            state.pending = self._gradient(now, state.step + 1, self.lr(state.step))
        return state.pending

    def healthy(self, state: State) -> bool:
        return math.isfinite(self.look(state)[0].item())

    def advance(self, state: State) -> State:
        now = {"theta": state.theta, **state.memory}
        h, lr = 1 / self.substeps, self.lr(state.step)
        _, g = self.look(state)
        state.update = self._direction(now, state.step)
        for part in range(self.substeps):
            s = state.step + part * h
            slopes = self._slopes(now, g, s, lr)
            ahead = {key: torch.add(value, slopes[key], alpha=h) for key, value in now.items()}
            after = self._slopes(ahead, self._gradient(ahead, state.step + 1, lr)[1], s + h, lr)
            for key, value in now.items():
                value.add_(slopes[key].add_(after[key]), alpha=h / 2)
            if part + 1 < self.substeps:
                _, g = self._gradient(now, state.step + 1, lr)
        state.step += 1
        state.pending = None
        return state

    def _gradient(self, y: Values, step: int, lr: float) -> tuple[Tensor, Tensor]:
        """(L, g) on the batch of that step, with its noise."""
        ahead = self.form == "corrected" and "phi" in y  # which the start has yet to find
        theta = torch.add(y["theta"], y["phi"], alpha=lr / 2) if ahead else y["theta"]
        value, g = self.problem.value_and_gradient(theta, self.discrete.batch(step))
        return value, g + self.discrete.noise(step, g) if self.discrete.noise else g

    def _direction(self, y: Values, s: float) -> Tensor:
        """u(s), a fresh tensor."""
        a, b = (self.a, self.b) if self.matched else (_exact(self.gamma), _exact(self.beta))
        weights = 1 - self.gamma * math.exp(-a * s), 1 - self.beta * math.exp(-b * s)
        p = divisor(y["v"], weights[1], self.rule.eps, self.rule.eps_root, scale=weights[0])
        return torch.div(y["m"], p, out=p)

    def _force(self, y: Values, s: float) -> Tensor:
        """−(λθ + u), a fresh tensor."""
        return self._direction(y, s).add_(y["theta"], alpha=float(self.rule.weight_decay)).neg_()

    def _slopes(self, y: Values, g: Tensor, s: float, lr: float) -> Values:
        """The derivatives of all values with respect to s: fresh tensors."""
        force = self._force(y, s)
        slopes = {"m": torch.sub(g, y["m"]).mul_(self.a), "v": torch.mul(g, g).sub_(y["v"]).mul_(self.b)}
        if self.form == "order1":
            return slopes | {"theta": force.mul_(lr)}
        return slopes | {"theta": lr * y["phi"], "phi": force.sub_(y["phi"]).mul_(RELAXATION)}


def _published(rate: float) -> float:
    """(1 − rate)/rate: the average is then backward Euler, with one step of the optimizer, for m′ = a(g − m)."""
    return (1 - rate) / rate


def _exact(rate: float) -> float:
    """−ln rate: m then forgets as much in one step as the average does."""
    return -math.log(rate)


def _modelled(rule: Any) -> Adam:
    """The rule, when it has a model in continuous time. Raises BadInput, else, saying what to choose."""
    if type(rule) is not Adam:
        raise BadInput(f"optimizer={rule.name}: only Adam has these models; set optimizer=adam, adamw or adam_eps0")
    for name in ("beta1", "beta2"):
        if getattr(rule, name) == 0:
            raise BadInput(f"optimizer.{name}=0: forgets at once, which no rate in continuous time does; set it > 0")
    if not rule.bias_correction:
        raise BadInput("optimizer.bias_correction=false: the models are of Adam with it; set it to true")
    if rule.freeze is not None:
        raise BadInput(f"optimizer.freeze={rule.freeze}: the models have no frozen preconditioner; set it to null")
    if rule.weight_decay and not rule.decoupled:
        raise BadInput("optimizer.decoupled=false: the models have decoupled decay; set it to true, or weight_decay=0")
    return rule
