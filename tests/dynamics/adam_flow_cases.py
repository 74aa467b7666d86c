"""A problem on which Adam's gradients keep their signs, and the equations of its models with all their symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from aeos.dynamics import ContinuousAdam, Discrete
from aeos.optimizers.rules.adam import Adam
from aeos.problems.analytic import Saddle
from aeos.problems.base import Problem

Array = np.ndarray
FORMS = ("order1", "order2", "corrected")


def smooth() -> Saddle:
    """Four coordinates, none of which comes near a place without gradient within 0.4."""
    return Saddle([1.0, 2.0, -0.5, 3.0], 1.0, 0.1, [1.0, -1.5, 2.0, 0.8], dtype=torch.float64)


def adam(lr: float = 1e-3, **settings: Any) -> Adam:
    return Adam(**{"lr": lr, "eps": 0.0, "weight_decay": 0.1} | settings)


def flow(problem: Problem, form: Any, rule: Adam, **settings: Any) -> ContinuousAdam:
    return ContinuousAdam(Discrete(problem, rule), form, **settings)


def travelled(process: Any, problem: Problem, steps: int) -> Array:
    state = process.init(problem.init(0))
    for _ in range(steps):
        state = process.advance(state)
    return state.theta.numpy()


def equations(
    problem: Problem, form: str, rule: Adam, p: float = 1.0, matched: bool = False
) -> tuple[Array, Callable[[float, Array], Array]]:
    """y(0) and y′(t), y = (θ, θ′, m, v), where step n ends at t = (n + 1)·ηᵖ:

    η^(p−1) θ′ + ½η^(2p−1) θ″ = −(λθ + u),  ηᵖ m′ = a(g − m),  ηᵖ v′ = b(g² − v)
    """
    eta, decay, gamma, beta = (float(x) for x in (rule.lr, rule.weight_decay, rule.beta1, rule.beta2))
    exact, tick = form == "corrected", eta**p
    a, b = (-np.log(x) if exact else (1 - x) / x for x in (gamma, beta))

    def gradient(theta: Array) -> Array:
        return problem.value_and_gradient(torch.from_numpy(theta))[1].numpy()

    def force(t: float, theta: Array, m: Array, v: Array) -> Array:
        keeps = (np.exp(-a * t / tick), np.exp(-b * t / tick)) if matched else (gamma ** (t / tick), beta ** (t / tick))
        u = np.sqrt(1 - beta * keeps[1]) / (1 - gamma * keeps[0]) * m / np.sqrt(v)
        return -(decay * theta + u) * eta ** (1 - p)

    def slope(t: float, y: Array) -> Array:
        theta, phi, m, v = y.reshape(4, -1)
        pull = force(t, theta, m, v)
        g = gradient(theta + tick / 2 * phi if exact else theta)
        move, bend = (pull, 0 * pull) if form == "order1" else (phi, 2 / tick * (pull - phi))
        return np.concatenate([move, bend, a / tick * (g - m), b / tick * (g**2 - v)])

    theta = problem.init(0).numpy()
    g = gradient(theta)
    m, v = (1 - gamma) * g, (1 - beta) * g**2
    return np.concatenate([theta, force(0.0, theta, m, v), m, v]), slope
