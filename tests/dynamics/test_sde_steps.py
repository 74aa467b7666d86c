"""Would catch: a term, a factor or an order of updates that is not the equations', in any of the SDEs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from aeos.dynamics import Discrete
from aeos.dynamics.sde import Injected, Sde, SdeAdam, SdeRMSprop, SdeSGD, SdeSignSGD
from aeos.dynamics.sde.noise import Normals
from aeos.optimizers import schedules
from aeos.optimizers.rules import GD, Adam, RMSprop, Rule, SignSGD
from aeos.problems.analytic import Saddle

PATHS, S, LR = 7, 0.3, 0.02
PROBLEM = Saddle([-1.0, 2.0, 0.5], start=(0.3, 1.0, -0.7), dtype=torch.float64)
START = PROBLEM.init(0).expand(PATHS, -1)
H = PROBLEM.spectrum.numpy()


def slope(x: np.ndarray) -> np.ndarray:
    return H * x + x**3 - 0.1 * x**2


def advanced(sde: Sde, steps: int, start: torch.Tensor = START) -> dict[str, np.ndarray]:
    state = sde.init(start)
    for _ in range(steps):
        state = sde.advance(state)
    assert state.step == steps
    return {"theta": state.theta.numpy()} | {key: state.memory[key].numpy() for key in sde.averages}


def normals(steps: int, substeps: int, seed: int = 0) -> list[list[np.ndarray]]:
    """The z of every step of the method, as the process draws them."""
    source, drawn = Normals(seed, torch.device("cpu")), []
    for step in range(steps):
        source.begin(step)
        drawn.append([source.fill_(torch.empty(PATHS, 3, dtype=torch.float64)).numpy() for _ in range(substeps)])
    return drawn


@pytest.mark.parametrize("substeps", [1, 3])
@pytest.mark.parametrize("form", SdeSGD.forms)
@pytest.mark.parametrize("decay", [{}, {"weight_decay": 0.4}, {"weight_decay": 0.4, "decoupled": False}])
def test_sgd(substeps: int, form: str, decay: dict) -> None:
    """With a schedule: η_k multiplies drift and diffusion."""
    schedule = schedules.Power(0.5)
    sde = SdeSGD(Discrete(PROBLEM, GD(lr=LR, **decay), schedule=schedule), Injected(PROBLEM, S), form, substeps)
    x, h = START.numpy().copy(), 1 / substeps
    for k, drawn in enumerate(normals(3, substeps)):
        lr = LR * schedule(k)
        for z in drawn:
            coupled = decay.get("weight_decay", 0.0) * (not decay.get("decoupled", True))
            g = slope(x) + coupled * x
            hessian = H + 3 * x**2 - 0.2 * x + coupled
            drift = -g + (lr / 2 * hessian * g if form == "faithful" else 0)
            drift -= decay.get("weight_decay", 0.0) * x if decay.get("decoupled", True) else 0
            x = x + lr * h * drift + math.sqrt(lr) * S * math.sqrt(lr * h) * z
    assert advanced(sde, 3)["theta"] == pytest.approx(x, rel=1e-12)


@pytest.mark.parametrize("nu", [1.0, 2.0, 3.5, 4.0, math.inf])
@pytest.mark.parametrize("substeps", [1, 2])
def test_signsgd(nu: float, substeps: int) -> None:
    sde = SdeSignSGD(Discrete(PROBLEM, SignSGD(lr=LR, weight_decay=0.3)), Injected(PROBLEM, S, nu), substeps=substeps)
    x, h = START.numpy().copy(), 1 / substeps
    for drawn in normals(3, substeps):
        for z in drawn:
            y = slope(x) / S
            drift = special.erf(y / math.sqrt(2)) if math.isinf(nu) else 2 * stats.t.cdf(y, nu) - 1
            x = x + LR * h * (-drift - 0.3 * x) + math.sqrt(LR) * np.sqrt(1 - drift**2) * math.sqrt(LR * h) * z
    assert advanced(sde, 3)["theta"] == pytest.approx(x, rel=1e-12)


def adaptive(form: str, rule: RMSprop, substeps: int, steps: int, v: np.ndarray) -> dict[str, np.ndarray]:
    """RMSprop(W) and Adam(W), each line as the equations stand, V first."""
    eta, rho2 = float(rule.lr), (1 - float(rule.beta2)) / float(rule.lr)
    x, m, v = START.numpy().copy(), np.zeros_like(v), v.copy()
    dt = eta / substeps
    adam = isinstance(rule, Adam)
    rho1 = (1 - float(rule.beta1)) / eta if adam else math.inf
    for k, drawn in enumerate(normals(steps, substeps)):
        for part, z in enumerate(drawn, start=1):
            t, g, dw = k * eta + part * dt, slope(x), math.sqrt(dt) * z
            if not rule.decoupled:
                g = g + rule.weight_decay * x
            v = v + dt * rho2 * ((0 if form == "prior" else g**2) + S**2 - v)
            iota1 = 1 - math.exp(-rho1 * t) if rule.bias_correction and adam else 1.0
            iota2 = 1 - math.exp(-rho2 * t) if rule.bias_correction else 1.0
            p = np.sqrt(v + rule.eps_root * iota2) + rule.eps * math.sqrt(iota2)
            decay = rule.weight_decay * x if rule.decoupled else 0
            if not adam:
                x = x - math.sqrt(iota2) / p * (g * dt + math.sqrt(eta) * S * dw) - decay * dt
                continue
            ahead = eta * rho1 * (g - m) if form in ("new", "noisy") else 0
            extra = eta * rho1 * math.sqrt(eta) * S * dw if form == "noisy" else 0
            x = x - math.sqrt(iota2) / iota1 / p * ((m + ahead) * dt + extra) - decay * dt
            m = m + dt * rho1 * (g - m) + math.sqrt(eta) * rho1 * S * dw
    return {"theta": x, "m": m, "v": v}


RULES: dict[str, Rule] = {
    "plain": RMSprop(lr=LR, beta2=0.95, eps=1e-3, bias_correction=False),
    "corrected": RMSprop(lr=LR, beta2=0.95, weight_decay=0.7, eps=1e-2, eps_root=1e-3),
    "coupled": RMSprop(lr=LR, beta2=0.95, weight_decay=0.7, decoupled=False),
    "adam": Adam(lr=LR, beta1=0.8, beta2=0.95, eps=1e-2),
    "adamw": Adam(lr=LR, beta1=0.8, beta2=0.95, weight_decay=0.7, eps_root=1e-3),
    "adam_plain": Adam(lr=LR, beta1=0.8, beta2=0.95, bias_correction=False),
    "adam_l2": Adam(lr=LR, beta1=0.8, beta2=0.95, weight_decay=0.7, decoupled=False),
}


@pytest.mark.parametrize("substeps", [1, 3])
@pytest.mark.parametrize(
    ("name", "form"),
    [(n, form) for n, rule in RULES.items() for form in (SdeAdam if isinstance(rule, Adam) else SdeRMSprop).forms],
)
def test_rmsprop_and_adam(name: str, form: str, substeps: int) -> None:
    rule = RULES[name]
    v = torch.full_like(START, 0.2)
    kind = SdeAdam if isinstance(rule, Adam) else SdeRMSprop
    sde = kind(Discrete(PROBLEM, rule, memory={"v": v}), Injected(PROBLEM, S), form, substeps)
    wanted = adaptive(form, rule, substeps, 4, v.numpy())
    for key, value in advanced(sde, 4).items():
        assert value == pytest.approx(wanted[key], rel=1e-11), key


def test_at_dt_of_a_step_they_are_the_optimizer_but_for_the_noise_in_v() -> None:
    """SGD wholly, with dW's sign turned; noisy Adam with E g² in v, and without bias correction, which is e^(−ρt)."""
    noise = normals(5, 1)
    x = torch.tensor(START.numpy().copy())
    for (z,) in noise:
        x = x - LR * (torch.tensor(slope(x.numpy())) - S * torch.tensor(z))
    assert advanced(SdeSGD(Discrete(PROBLEM, GD(lr=LR)), Injected(PROBLEM, S)), 5)["theta"] == pytest.approx(x.numpy())

    rule = Adam(lr=LR, beta1=0.8, beta2=0.95, bias_correction=False)
    state = Discrete(PROBLEM, rule, memory={"v": torch.full_like(START, 0.2)}).init(START)
    theta, m, v = state.theta.numpy().copy(), state.memory["m"].numpy(), state.memory["v"].numpy()
    for (z,) in noise:
        g = slope(theta)
        m = 0.8 * m + 0.2 * (g + S * z)
        v = 0.95 * v + 0.05 * (g**2 + S**2)
        theta = theta - LR * m / (np.sqrt(v) + 1e-8)
    sde = SdeAdam(Discrete(PROBLEM, rule, memory={"v": torch.full_like(START, 0.2)}), Injected(PROBLEM, S), "noisy")
    assert advanced(sde, 5)["theta"] == pytest.approx(theta, rel=1e-12)
