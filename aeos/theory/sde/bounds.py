"""Upper bounds on the expected loss of SignSGD in each of its phases, of SGD for contrast, and of AdamW in the end.

S = f − f* of a μ-strongly convex (or PL) f with Tr ∇²f ≤ L_τ, under noise of scale ≤ σ in every coordinate.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from aeos.theory.sde.phases import PHASE
from aeos.theory.sde.signsgd import initial_slope, xi
from aeos.theory.stability.coefficients import Number, choose

FORMS = ("paper", "corrected")


@np.errstate(invalid="ignore")
def loss_bound(
    phase: int,
    t: ArrayLike,
    initial: ArrayLike,
    *,
    strong_convexity: float,
    trace: float,
    noise: float,
    lr: float,
    dim: int = 1,
    nu: float = math.inf,
    form: str = "paper",
) -> Number:
    """E S_t ≤ S₀ e^(−2μΔt) + (η/2)L/(2μΔ)·(1 − e^(−2μΔt))  in phases 2 and 3, and in phase 1, without noise:

    1  paper ¼(2√S₀ − √μ t)²₊;  corrected (√S₀ − √(μ/2) t)²₊, sharper, for ‖∇f‖₁ ≥ ‖∇f‖ ≥ √(2μS)
    2  Δ = m/(√2σ) + ημm²/(4σ²),  L = L_τ − μdq²;  paper q = max(q1, q2);  corrected q = q1, the one that is proved
    3  paper Δ = ℓ_ν/σ + ηℓ_ν²μ/(2σ²);  corrected Δ = √2 Ξ_ν(√2)/σ, which is erf(1)/(√2σ) for Gaussian noise;  L = L_τ

    t counts from where the phase begins, at the loss `initial`; shape of both, broadcast; t = ∞ is the limit, which is
    ≈ (ηL_τσ/4μ)√(π/2) in phase 3 (paper). μ, L_τ, σ, η are numbers; dim = d matters in phase 2 only.

    The paper's bound of phase 3 is one of the linearised SDE. It fails from |Y| ≈ 1: for f = x²/2, η = 1e-3, σ = 0.1
    from Y = 0.999, E S is 4.600e-3 at t = 0.06, above 3.836e-3, and 3.276e-4 at t = 0.24, above 2.440e-4. The slope of
    the corrected one, the chord's of erf, is good on all of |Y| ≤ 1. The two q differ by 3 %.

    Raises ValueError for unknown phases and forms, and for finite nu in phase 2, whose constants are those of erf.
    arXiv 2411.15958, §3.2; corrected: derived.
    """
    corrected = choose(form, {name: name == "corrected" for name in FORMS})
    t, start = np.asarray(t, dtype=float), np.asarray(initial, dtype=float)
    if phase == 1:
        return np.maximum(np.sqrt(start) - np.sqrt(strong_convexity / (2 if corrected else 4)) * t, 0.0) ** 2
    if phase == 2:
        if nu != math.inf:
            raise ValueError(f"nu={nu}: phase 2 has constants for Gaussian noise only; choose phase 1 or 3, or nu=inf")
        m, q = PHASE.m, PHASE.q1 if corrected else max(PHASE.q1, PHASE.q2)
        rate = m / (math.sqrt(2) * noise) + lr * strong_convexity * (m / (2 * noise)) ** 2
        return _relaxation(t, start, strong_convexity * rate, lr / 2 * (trace - strong_convexity * dim * q**2))
    if phase != 3:
        raise ValueError(f"phase={phase}: must be 1, 2 or 3")
    if corrected:
        rate = math.sqrt(2) * float(xi(math.sqrt(2), nu)) / noise
    else:
        slope = initial_slope(nu) / noise
        rate = slope + lr * slope**2 * strong_convexity / 2
    return _relaxation(t, start, strong_convexity * rate, lr / 2 * trace)


def sgd_loss_bound(
    t: ArrayLike, initial: ArrayLike, *, strong_convexity: float, trace: float, noise: float, lr: float
) -> Number:
    """E S_t ≤ S₀ e^(−2μt) + (η/2)L_τσ²/(2μ)·(1 − e^(−2μt))

    SGD's rate does not depend on the noise and its level goes with σ², where SignSGD's phase 3 has rate ∝ 1/σ and level
    ∝ σ: it is faster for σ < √(2/π) and ends lower for σ > √(π/2). Arguments as in `loss_bound`. arXiv 2411.15958.
    """
    t, start = np.asarray(t, dtype=float), np.asarray(initial, dtype=float)
    return _relaxation(t, start, strong_convexity, lr / 2 * trace * noise**2)


def phase1_ends(initial: ArrayLike, strong_convexity: ArrayLike, form: str = "paper") -> Number:
    """t* = 2√(S₀/μ)  (paper),  √(2S₀/μ)  (corrected): when the bound of phase 1 is 0

    Shape of the broadcast arguments. SignSGD has left phase 1 by then, or converged. arXiv 2411.15958.
    """
    factor = choose(form, {"paper": 4.0, "corrected": 2.0})
    return np.sqrt(factor * np.asarray(initial, dtype=float) / np.asarray(strong_convexity, dtype=float))


@np.errstate(divide="ignore")
def asymptotic_loss_bound(
    *,
    strong_convexity: ArrayLike,
    smoothness: ArrayLike,
    trace: ArrayLike,
    noise: ArrayLike,
    lr: ArrayLike,
    weight_decay: ArrayLike = 0.0,
) -> Number:
    """E S_∞ ≤ ηL_τL/(2(2μL/σ + θ(L + μ)))  of RMSpropW and AdamW, of RMSprop and Adam for θ = 0

    For f with its minimum at 0, μ ≤ ∇²f ≤ L. σ = ∞ gives the limit ηL_τL/(2θ(L + μ)), finite for θ > 0: decoupled
    decay is what bounds the loss under any noise. With L2 decay it grows with σ. Shape of the broadcast arguments.
    arXiv 2411.15958, §3.7.
    """
    mu, L, total, s, lr, theta = (
        np.asarray(x, dtype=float) for x in (strong_convexity, smoothness, trace, noise, lr, weight_decay)
    )
    return lr * total * L / (2 * (2 * mu * L / s + theta * (L + mu)))


def _relaxation(t: np.ndarray, start: np.ndarray, rate: float, gain: float) -> Number:
    """x of x' = −2·rate·x + gain."""
    decayed = np.exp(-2 * rate * t)
    return start * decayed + gain / (2 * rate) * (1 - decayed)
