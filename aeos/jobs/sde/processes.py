"""The optimizer on many paths, and its SDEs by their names."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from aeos.dynamics import Discrete
from aeos.dynamics.sde import Injected, Minibatch, Sde, SdeAdam, SdeEmpiricalSign, SdeRMSprop, SdeSGD, SdeSignSGD
from aeos.dynamics.sde.noise import Gradient
from aeos.jobs.optimizer import build_optimizer
from aeos.problems.base import Problem
from aeos.problems.sampling import GradientNoise

KINDS: tuple[type[Sde], ...] = (SdeSGD, SdeSignSGD, SdeEmpiricalSign, SdeRMSprop, SdeAdam)
#: name of the optimizer → name in `sdes` → the class that has it as a form
MODELS = {
    name: {form: kind for kind in KINDS if kind.rule_name == name for form in kind.forms}
    for name in dict.fromkeys(kind.rule_name for kind in KINDS)
}

PUBLISHED = ("new", "prior")


def build_processes(config: DictConfig, problem: Problem, start: Tensor) -> tuple[Discrete, list[Sde]]:
    """The optimizer with noise of its own on every path, and those of its SDEs that are asked for, from θ₀ (d,)."""
    nu = math.inf if config.nu is None else float(config.nu)
    optimizer = build_optimizer(config, problem, members=config.paths)
    if config.noise:
        optimizer.noise = GradientNoise(config.noise, config.seed, nu, shared=False)
    gradient: Gradient = Injected(problem, config.noise, nu)
    if config.batch_size:
        gradient = Minibatch(problem, config.batch_size, config.noise)
    if config.start == "signal" and "v" in optimizer.init(start).memory:
        optimizer = replace(optimizer, memory={"v": second_moment(gradient, start)})
    known = MODELS[config.optimizer.name]
    names = [name for name in PUBLISHED if name in known] if config.sdes is None else config.sdes
    return optimizer, [_build(known[name], name, optimizer, gradient, config) for name in names]


def _build(kind: Any, name: str, optimizer: Discrete, gradient: Gradient, config: DictConfig) -> Sde:
    own = {"signs": config.signs} if kind is SdeEmpiricalSign else {}
    return kind(optimizer, gradient, name, config.substeps, config.burn_in, config.seed, **own)


def second_moment(gradient: Gradient, theta: Tensor) -> Tensor:
    """∇L² + diag Σ at θ (d,): what the average of squared gradients would settle at there; shape (d,)."""
    row = theta[None]
    mean, variance = gradient(row, torch.empty_like(row))
    return (mean.square() + variance)[0]
