"""A stochastic differential equation as a process: many paths, Euler and Maruyama's method, one clock with the rest."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from aeos.dynamics.discrete import Discrete
from aeos.dynamics.process import State
from aeos.dynamics.sde.noise import Gradient, Normals, Variance
from aeos.errors import BadInput
from aeos.optimizers.rules.base import Rule
from aeos.problems.analytic import Coordinates
from aeos.problems.base import Problem

ENTRIES = 100_000  # of a block of paths that move together: fewer cost calls, more cost cache (measured, d = 100)


@dataclass(frozen=True)
class Step:
    """One step of the method: h of an optimizer step, with the learning rate η of that step, from there to `end`."""

    lr: float
    h: float
    end: float

    @property
    def noise(self) -> float:
        """η√h: what multiplies s·z, for √η·s·dW = η·s·√h·z over the time ηh."""
        return self.lr * math.sqrt(self.h)


@dataclass
class Sde(ABC):
    """dX = b dt + √η σ dW, in time t = ηk; of the optimizer `discrete`, whose rule, schedule and start it takes over

    θ is (paths, d). `gradient` gives ∇L and the variance of its noise. Each of `substeps` has h = 1/substeps of an
    optimizer step: of order 1 towards the SDE's own law; at substeps = 1 of order 2 towards the optimizer's, which
    flatters the SDE. In a step V goes first: P contains what the step has seen, as the optimizer's does.
    The first `burn_in` steps are the optimizer's own. A schedule η_k = η·f_k multiplies drift and diffusion alike.

    `form`: which of its SDEs, where there are several. Raises BadInput for a rule without it, or settings without any.
    Monzio Compagnoni et al., arXiv 2411.15958; Malladi et al., arXiv 2205.10287, for what is called prior.
    """

    discrete: Discrete
    gradient: Gradient
    form: str = "new"
    substeps: int = 1
    burn_in: int = 0
    seed: int = 0
    name: str = ""  # the form's, unless given
    problem: Problem = field(init=False)
    rule_name: ClassVar[str]  # whose SDE it is
    forms: ClassVar[tuple[str, ...]] = ("new",)
    averages: ClassVar[tuple[str, ...]] = ()  # what moves along with θ

    def __post_init__(self) -> None:
        self.problem = self.discrete.problem
        rule: Any = self.discrete.rule
        if rule.name != self.rule_name:
            raise BadInput(f"optimizer={rule.name}: this is the SDE of {self.rule_name}; choose that")
        if self.form not in self.forms:
            raise BadInput(f"form={self.form}: must be one of {', '.join(self.forms)}")
        if getattr(rule, "freeze", None) is not None:
            raise BadInput(f"optimizer.freeze={rule.freeze}: the SDEs have no frozen preconditioner; set it to null")
        if self.substeps < 1 or self.burn_in < 0:
            raise BadInput(f"substeps={self.substeps}, burn_in={self.burn_in}: must be >= 1 and >= 0")
        self.rule: Any = rule
        self.name = self.name or self.form
        self.normals = Normals(self.seed, self.problem.device)
        self._memory: dict[tuple[int, ...], tuple[Tensor, ...]] = {}

    def init(self, theta: Tensor) -> State:
        return self.discrete.init(theta)

    def healthy(self, state: State) -> bool:
        """Whether every path is finite: without one of them there is no mean."""
        return bool(state.theta.isfinite().all())

    def advance(self, state: State) -> State:
        if state.step < self.burn_in:
            return self.discrete.advance(state)
        lr, h = float(self.discrete.lr(state.step)), 1 / self.substeps
        self.normals.begin(state.step)
        for theta, memory in self._blocks(state):
            for part in range(1, self.substeps + 1):
                self.move(theta, memory, Step(lr, h, state.step + part * h))
        state.step += 1
        state.pending = state.update = None
        return state

    @abstractmethod
    def move(self, theta: Tensor, memory: dict[str, Tensor], step: Step) -> None:
        """θ (paths, d) and what moves along with it, in place, over one step of the method."""

    def oracle(self, theta: Tensor) -> tuple[Tensor, Variance, Tensor, Tensor]:
        """∇L, its L2 decay added, diag Σ, normals z, and as much memory that is free: (paths, d) each."""
        out, z, free = self._scratch(theta)
        gradient, variance = self.gradient(theta, out)
        rule: Rule = self.rule
        if rule.weight_decay and not rule.decoupled:
            gradient = torch.add(gradient, theta, alpha=float(rule.weight_decay), out=out)
        return gradient, variance, self.normals.fill_(z), free

    def decay_(self, theta: Tensor, step: Step) -> None:
        """−ηθ·X dt, decoupled decay."""
        if self.rule.weight_decay and self.rule.decoupled:
            theta.mul_(1 - step.lr * step.h * float(self.rule.weight_decay))

    def _blocks(self, state: State) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """θ and what moves along: of all paths where gradients are a model's, else of as many as fit a cache."""
        moving = {"theta": state.theta} | {key: state.memory[key] for key in self.averages}
        paths, d = state.theta.shape
        size = max(1, ENTRIES // d) if isinstance(self.problem, Coordinates) else paths
        if size >= paths:
            yield moving.pop("theta"), moving
            return
        for parts in zip(*(values.split(size) for values in moving.values()), strict=True):
            part = dict(zip(moving, parts, strict=True))
            yield part.pop("theta"), part

    def _scratch(self, theta: Tensor) -> tuple[Tensor, ...]:
        shape = tuple(theta.shape)
        if shape not in self._memory:
            self._memory[shape] = tuple(torch.empty_like(theta, memory_format=torch.contiguous_format) for _ in "gzf")
        return self._memory[shape]
