"""The moments of SignSGD near a minimum over time, at a constant learning rate and under a power-law schedule."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from aeos.theory.sde.signsgd import initial_slope
from aeos.theory.stability.coefficients import Number, require

Clock = Callable[[np.ndarray], np.ndarray]
GAUSS = np.polynomial.legendre.leggauss(12)
FORGOTTEN = 60.0  # e^(-60): what the second moment remembers is within so many relaxation times


def signsgd_moments(
    t: ArrayLike, initial: ArrayLike, curvature: ArrayLike, noise: ArrayLike, lr: ArrayLike, nu: float = math.inf
) -> tuple[Number, Number]:
    """E X_t = x₀e^(−at),  E X_t² = x₀²e^(−2ct) + (η/2c)(1 − e^(−2ct)),  a = ℓ_ν λ/s,  c = a + ηa²/2

    (mean, second moment) of dX = −aX dt + √η √(1 − a²X²) dW, SignSGD's linearised SDE on λx²/2: phase 3. Shape of the
    broadcast arguments. At η = 1e-3, s = 0.1 its stationary variance η/2c is 0.7 % (λ = 1) and 1.4 % (λ = 2) below that
    of the optimizer. Raises ValueError for curvature or noise ≤ 0. arXiv 2411.15958; re-derived.
    """
    a = _rate(curvature, noise, nu)
    t, x0, lr = (np.asarray(x, dtype=float) for x in (t, initial, lr))
    c = a + lr * a**2 / 2
    second = x0**2 * np.exp(-2 * c * t) - lr / (2 * c) * np.expm1(-2 * c * t)
    return x0 * np.exp(-a * t), second


def signsgd_variance(
    t: ArrayLike, initial: ArrayLike, curvature: ArrayLike, noise: ArrayLike, lr: ArrayLike, nu: float = math.inf
) -> Number:
    """Var X_t = E X_t² − (E X_t)²  of `signsgd_moments`, whose arguments and errors these are"""
    mean, second = signsgd_moments(t, initial, curvature, noise, lr, nu)
    return second - mean**2


def scheduled_moments(
    t: ArrayLike, initial: float, curvature: float, noise: float, lr: float, p: float, nu: float = math.inf
) -> tuple[Number, Number]:
    """E X_t = x₀e^(−aG₁),  E X_t² = x₀²e^(−A(t)) + η∫₀ᵗ η_u² e^(A(u)−A(t)) du,  A = 2aG₁ + ηa²G₂,  Gₙ = ∫₀ᵗ η_uⁿ du

    (mean, second moment) of dX = −η_t aX dt + √η η_t √(1 − a²X²) dW: steps of η·η_t, η_t = (1 + t)^(−p). Shape of t;
    the others are numbers, p ≥ 0. By Gauss quadrature on panels no longer than one relaxation time and one e-fold of
    1 + t, to 1e-11. Raises ValueError for curvature or noise ≤ 0 and p < 0. Derived; arXiv 2411.15958, Lemma on
    schedulers, has the equation.
    """
    if p < 0:
        raise ValueError(f"p={p}: must be >= 0")
    a = float(_rate(curvature, noise, nu))
    times = np.asarray(t, dtype=float)

    def clock(u: np.ndarray) -> np.ndarray:
        return 2 * a * _integral(u, p) + lr * a**2 * _integral(u, 2 * p)

    second = [initial**2 * np.exp(-clock(u)) + lr * _remembered(float(u), a, p, clock) for u in times.flat]
    mean = initial * np.exp(-a * _integral(times, p))
    return mean, np.reshape(second, times.shape)[()]


def scheduler_condition(p: ArrayLike) -> bool | np.ndarray:
    """∫₀^∞ η_t dt = ∞ and η_t → 0,  η_t = (1 + t)^(−p)  ⟺  0 < p ≤ 1

    Then, and then only, E S → 0. Shape of p. At p = 1 the loss follows `scheduled_level` only if 2a > 1, and then up to
    the factor 1/(1 − 1/(2a)): 1.067 for a = 7.98. arXiv 2411.15958.
    """
    p = np.asarray(p, dtype=float)
    return ((p > 0) & (p <= 1))[()]


def scheduled_level(
    t: ArrayLike, p: float, *, strong_convexity: float, trace: float, noise: float, lr: float, nu: float = math.inf
) -> Number:
    """E S_t ≲ η_t·ηL_τσ/(4μℓ_ν),  η_t = (1 + t)^(−p): (ηL_τσ/4μ)√(π/2) for Gaussian noise

    Shape of t. What the loss follows for p < 1 once t is large. For p > 1 the loss stalls far above it: from x₀ = 0.02
    at λ = 1, σ = 0.1, η = 1e-3 and p = 2, 3.33 times at t = 10 and 94 at t = 100. SGD has ηL_τσ²/(4μ) in place of it.
    arXiv 2411.15958.
    """
    factor = (1 + np.asarray(t, dtype=float)) ** -p
    return factor * lr * trace * noise / (4 * strong_convexity * initial_slope(nu))


def _rate(curvature: ArrayLike, noise: ArrayLike, nu: float) -> np.ndarray:
    lam, s = np.asarray(curvature, dtype=float), np.asarray(noise, dtype=float)
    require("curvature", lam, lam > 0, "> 0")
    require("noise", s, s > 0, "> 0: without noise the sign has no SDE")
    return initial_slope(nu) * lam / s


def _integral(u: ArrayLike, p: float) -> np.ndarray:
    """∫₀ᵘ (1 + v)^(−p) dv."""
    u = np.asarray(u, dtype=float)
    return np.log1p(u) if p == 1 else np.expm1((1 - p) * np.log1p(u)) / (1 - p)


def _until(integral: np.ndarray, p: float) -> np.ndarray:
    """u of ∫₀ᵘ (1 + v)^(−p) dv."""
    return np.expm1(integral) if p == 1 else np.expm1(np.log1p((1 - p) * integral) / (1 - p))


def _remembered(t: float, a: float, p: float, clock: Clock) -> float:
    """∫₀ᵗ η_u² e^(A(u)−A(t)) du."""
    end = float(_integral(t, p))
    ages = np.arange(min(2 * a * end, FORGOTTEN)) / (2 * a)
    start = _until(np.asarray(max(end - FORGOTTEN / (2 * a), 0.0)), p)
    folds = np.expm1(np.arange(np.log1p(start), np.log1p(t)))
    edges = np.unique(np.concatenate([[start, t], _until(end - ages, p), folds]).clip(start, t))
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    u = middle[:, None] + half[:, None] * GAUSS[0]
    return float(half @ ((1 + u) ** (-2 * p) * np.exp(clock(u) - clock(np.asarray(t)))) @ GAUSS[1])
