"""How widely, and at what loss, an optimizer hovers about the minimum of a quadratic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from aeos.theory.sde.lattice import lattice_variance
from aeos.theory.sde.signsgd import initial_slope
from aeos.theory.stability.coefficients import Number, choose, require

FORMS = {"paper": False, "corrected": True}
ADAPTIVE = ("rmsprop", "adam")
OPTIMIZERS = ("gd", "signsgd", *ADAPTIVE)


@np.errstate(divide="ignore", invalid="ignore")
def stationary_variance(
    optimizer: str,
    curvature: ArrayLike,
    noise: ArrayLike,
    lr: ArrayLike,
    *,
    weight_decay: ArrayLike = 0.0,
    beta1: ArrayLike = 0.0,
    form: str = "paper",
    nu: float = math.inf,
    decoupled: bool = True,
) -> Number:
    """Var X_∞ for f = λx²/2, gradients λx + sZ, decay θ; h = λ + θ, a = ℓ_ν λ/s, F = ρ₁/(ρ₁ + θ), ρ₁ = (1 − β₁)/η:

    gd        paper (η/2)s²/h;                corrected ηs²/(h(2 − ηh)), the optimizer's own
    signsgd   paper η/(2(a + θ) + ηa²);       corrected the sum over the lattice, see `lattice_variance`
    rmsprop   paper (η/2)/(λ/s + θ);          corrected (η/2)s²/(λP + θP²),  P² = s² + λ²Var
    adam      as rmsprop;                     corrected F·(η/2)s²/(λP + θP²),  P² = s² + λ²Var

    rmspropw and adamw are other names of the last two. `decoupled` off is L2 decay, λ → h and θ → 0 in all of it:
    the paper's formula for adam is then (η/2)s/h. Shape of the broadcast arguments, one entry a mode; noise s is the
    scale of Z, Student-t for finite ν; s = ∞ is the saturated limit, η/(2θ) for rmsprop and adam with decoupled decay
    and ∞ otherwise. ∞ also where there is no stationary law (h ≤ 0, gd with ηh ≥ 2) or no variance (gd with ν ≤ 2).

    The paper's forms are limits of small ηλ/s and ηθ. At η = 1e-3, s = 0.1: signsgd's is 0.7 % low for λ = 1, 1.4 % for
    λ = 2. Gradients in V take ηλ/(4s) off rmsprop and adam: 0.25 % and 0.5 %. Adam's needs θ ≪ ρ₁: at θ = 20 the true
    value is 0.85, 0.34 and 0.20 of it for β₁ = 0.9, 0.99 and 0.995, where F is 0.83, 0.33 and 0.20. F is exact for the
    linear SDE without its ηρ₁(∇f − M) term; P is frozen at its mean. What is left is the optimizer's finite step, in
    `adam_variance`: of relative size ηλ/(2P)·(1 − β₁)/(1 + β₁), and for θ > 0 of 1 − β₁.

    Raises ValueError for noise or lr ≤ 0, decay < 0, β₁ outside [0, 1) or other than 0 where there is no momentum, for
    ν ≤ 2 with rmsprop and adam, whose V then has no mean, for the corrected form of signsgd with decoupled decay, which
    leaves the lattice, and for unknown names. arXiv 2411.15958, Lemmas 3.8, C.52, C.57 and §3; corrections derived.
    """
    name = _check(optimizer, noise, lr, weight_decay, beta1, nu)
    corrected = choose(form, FORMS)
    lam, s, lr, theta, beta1 = np.broadcast_arrays(
        *(np.asarray(x, dtype=float) for x in (curvature, noise, lr, weight_decay, beta1))
    )
    if not decoupled:
        lam, theta = lam + theta, np.zeros_like(theta)
    if name == "signsgd":
        return _signsgd(lam, s, lr, theta, nu, corrected)
    s = s * _spread(nu)
    if name == "gd":
        h = lam + theta
        two = 2 - lr * h if corrected else 2.0
        return _positive(lr * s**2 / (h * two), (h > 0) & (two > 0))
    rate = lam / s + theta
    remembered = (1 - beta1) / (1 - beta1 + lr * theta) if corrected and name == "adam" else 1.0
    wider = _widening(lam / s, theta, remembered * lr / 2) if corrected else 1.0
    return _positive(remembered * lr / 2 / (lam / s * wider + theta * wider**2), rate > 0)


def stationary_loss(optimizer: str, curvature: ArrayLike, noise: ArrayLike, lr: ArrayLike, **how: Any) -> Number:
    """½ Tr(H Cov) = ½ Σᵢ λᵢ Var Xᵢ,  over the last axis

    curvature (…, d), the eigenvalues of H; noise broadcasts with it. Arguments and errors of `stationary_variance`,
    all of whose keywords `how` takes. The loss is that of f, without an L2 term.
    """
    lam = np.asarray(curvature, dtype=float)
    return np.sum(lam * stationary_variance(optimizer, lam, noise, lr, **how), axis=-1) / 2


@np.errstate(divide="ignore")
def cauchy_scale(curvature: ArrayLike, noise: ArrayLike, lr: ArrayLike) -> Number:
    """X_∞ of SGD under Cauchy noise is Cauchy, of scale ηs/(1 − |1 − ηλ|) = s/λ for ηλ ≤ 1, whatever η

    The median of |X_∞|: there is no mean, and a smaller lr does not help. Shape of the broadcast arguments; ∞ outside
    0 < ηλ < 2. Derived: x ← (1 − ηλ)x − ηsZ adds scales.
    """
    lam, s, lr = (np.asarray(x, dtype=float) for x in (curvature, noise, lr))
    room = 1 - np.abs(1 - lr * lam)
    scale = np.where(lr * lam <= 1, s / lam, lr * s / room)
    return _positive(scale, room > 0)


def faithful_drift(grad: ArrayLike, hessian_grad: ArrayLike, lr: ArrayLike) -> Number:
    """b = −∇f + (η/2)∇²f ∇f,  dX = b dt + √η Σ^½ dW

    Shape of the broadcast arguments. On a quadratic its stationary variance is ηs²/(λ(2 − ηλ)), exactly discrete SGD's
    for every stable lr, where −∇f alone is off by 1 − ηλ/2. arXiv 2506.00181; the variance: derived.
    """
    return -np.asarray(grad, dtype=float) + np.asarray(lr, dtype=float) / 2 * np.asarray(hessian_grad, dtype=float)


def _signsgd(lam: np.ndarray, s: np.ndarray, lr: np.ndarray, theta: np.ndarray, nu: float, corrected: bool) -> Number:
    if not corrected:
        a = initial_slope(nu) * lam / s
        return _positive(lr / (2 * (a + theta) + lr * a**2), a + theta > 0)
    if np.any(theta != 0):
        raise ValueError("form=corrected: signsgd with decoupled weight_decay leaves its lattice; choose form=paper")
    return lattice_variance(lam, s, lr, nu)


def _widening(rate: Number, theta: Number, level: Number) -> Number:
    """r = P/s of r² = 1 + (λ/s)²Var, Var = level/(λ/s·r + θr²); averaged in logarithms it contracts by ½ at least."""
    r = np.ones(np.shape(rate))
    for _ in range(60):
        var = level / (rate * r + theta * r**2)
        r = np.sqrt(r * np.sqrt(1 + np.where(rate == 0, 0.0, rate**2 * var)))
    return r


def _spread(nu: float) -> float:
    """Standard deviation over scale."""
    return 1.0 if nu == math.inf else math.sqrt(nu / (nu - 2)) if nu > 2 else math.inf


def _positive(value: Number, holds: ArrayLike) -> Number:
    return np.where(holds, value, math.inf)[()]


def _check(
    optimizer: str, noise: ArrayLike, lr: ArrayLike, weight_decay: ArrayLike, beta1: ArrayLike, nu: float
) -> str:
    """The optimizer's name without its W."""
    name = optimizer.removesuffix("w") if optimizer in ("rmspropw", "adamw") else optimizer
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer={optimizer}: must be one of {', '.join(OPTIMIZERS)}")
    s, lr, decay, beta1 = (np.asarray(x, dtype=float) for x in (noise, lr, weight_decay, beta1))
    require("noise", s, s > 0, "> 0")
    require("lr", lr, lr > 0, "> 0")
    require("weight_decay", decay, decay >= 0, ">= 0")
    require("beta1", beta1, (beta1 >= 0) & (beta1 < 1), "in [0, 1)")
    require("beta1", beta1, (beta1 == 0) | (name == "adam"), f"0 for {optimizer}, which has no momentum")
    if not nu > (2 if name in ADAPTIVE else 0):
        says = f"> 2 for {optimizer}, whose V has no mean otherwise" if name in ADAPTIVE else "> 0"
        raise ValueError(f"nu={nu}: must be {says}")
    return name
