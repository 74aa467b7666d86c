"""The three phases of SignSGD, one coordinate each, by its signal Y = ∇f/(s√2)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from aeos.theory.sde.signsgd import initial_slope
from aeos.theory.stability.coefficients import Number, choose, require

EDGES = (1.0, 1.5)  # of phase 2, in |Y|


class Constants(NamedTuple):
    """Of phase 2: mY + q1 ≤ erf(Y) ≤ mY + q2 for 1 ≤ Y ≤ 3/2; the upper line touches at `tangent`."""

    m: float
    q1: float
    q2: float
    tangent: float


def _secant_and_tangent() -> Constants:
    low, high = EDGES
    m = (math.erf(high) - math.erf(low)) / (high - low)
    tangent = math.sqrt(-math.log(m * math.sqrt(math.pi) / 2))
    return Constants(m, math.erf(low) - m * low, math.erf(tangent) - m * tangent, tangent)


#: m = 0.246809, q1 = 0.595892, q2 = 0.614478, tangent = 1.232852
PHASE = _secant_and_tangent()


def phase(y: ArrayLike) -> np.ndarray:
    """1 where |Y| > 3/2,  2 where 1 < |Y| ≤ 3/2,  3 where |Y| ≤ 1

    Whole numbers in the shape of y. arXiv 2411.15958, the phases of SignSGD.
    """
    size = np.abs(np.asarray(y, dtype=float))
    return (3 - (size > EDGES[0]) - (size > EDGES[1]))[()]


def phase1_drift(y: ArrayLike) -> Number:
    """b = −sign(Y),  dX = b dt

    Shape of y. What it leaves out of −erf(Y) is at most 1 − erf(3/2) = 0.0339 in phase 1.
    """
    return -np.sign(np.asarray(y, dtype=float))


def phase2_band(y: ArrayLike) -> tuple[Number, Number]:
    """−(mY + q⁺) ≤ b ≤ −(mY + q⁻),  dX = b dt + …;  q⁺ = q2, q⁻ = q1 for Y > 0 and q⁺ = −q1, q⁻ = −q2 for Y < 0

    (low, high) of the drift of X, each in the shape of y; true where 1 ≤ |Y| ≤ 3/2, for Gaussian noise.
    """
    y = np.asarray(y, dtype=float)
    below, above = np.where(y > 0, PHASE.q2, -PHASE.q1), np.where(y > 0, PHASE.q1, -PHASE.q2)
    return (-(PHASE.m * y + below))[()], (-(PHASE.m * y + above))[()]


def phase2_fluctuation(a: ArrayLike, y: ArrayLike, lr: ArrayLike, t: ArrayLike = 1.0, form: str = "paper") -> Number:
    """P(‖X_t − E X_t‖² > a) ≤ (η/a)(d − ‖mY + q⁻‖²)        paper
                              ≤ (ηt/a) Σᵢ(1 − (m|Yᵢ| + q1)²)  corrected

    y (…, d); t the time spent in phase 2. Markov's inequality on Var X_t ≤ η∫(1 − erf²) for convex f. The paper's has
    no t, so it is good for t ≤ 1 only, and takes q⁻ = −q2 for Y < 0, where it says 11 % less at |Y| = 1 than for Y > 0:
    neither is the bound of the SDE. The corrected one is, with y the least |Y| met. Recalled; corrected: derived.
    """
    y, lr, t = (np.asarray(x, dtype=float) for x in (y, lr, t))
    q = choose(form, {"paper": np.where(y > 0, PHASE.q1, PHASE.q2), "corrected": np.asarray(PHASE.q1)})
    spread = np.sum(1 - (PHASE.m * np.abs(y) + q) ** 2, axis=-1)
    return lr / np.asarray(a, dtype=float) * (t if form == "corrected" else 1.0) * spread


def phase3_coefficients(grad: ArrayLike, scale: ArrayLike, nu: float = math.inf) -> tuple[Number, Number]:
    """drift = ℓ_ν ∇f/s,  variance = 1 − drift²:  dX = −drift dt + √(η·variance) dW

    `signsgd_coefficients` linearised, in its sign and shapes; variance is 0 where drift exceeds 1. The paper uses it up
    to |Y| = 1, where drift is 0.286 too large; it is accurate for |Y| ≪ 1 only. Raises ValueError for scale or nu ≤ 0.
    """
    scale = np.asarray(scale, dtype=float)
    require("scale", scale, scale > 0, "> 0: without noise the sign has no SDE")
    drift = initial_slope(nu) * np.asarray(grad, dtype=float) / scale
    return drift, np.maximum(1 - drift**2, 0.0)
