"""The mean and the variance of the sign of a noisy gradient, which are all that the SDE of SignSGD is made of."""

from __future__ import annotations

import math

import numpy as np
import scipy  # whose parts are loaded where they are used: most commands need none
from numpy.typing import ArrayLike

from aeos.theory.stability.coefficients import Number, require

LONGEST = 64  # integer ν up to which Ξ is summed term by term


def signsgd_coefficients(grad: ArrayLike, scale: ArrayLike, nu: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
    """drift = E sign(∇f + sZ) = 2 Ξ_ν(∇f/s),  variance = 1 − drift²:  dX = −drift dt + √(η·variance) dW

    Z is Student-t with ν degrees of freedom, Gaussian for ν = ∞, then drift = erf(∇f/(s√2)); s is its scale, not its
    standard deviation, which is s√(ν/(ν − 2)) for ν > 2. Shape of the broadcast arguments, coordinate by coordinate:
    the diffusion is diagonal for independent coordinates only. Raises ValueError for scale or nu ≤ 0.
    arXiv 2411.15958, the SDE of SignSGD and its Student-t corollary, re-derived.
    """
    scale = np.asarray(scale, dtype=float)
    require("scale", scale, scale > 0, "> 0: without noise the sign has no SDE")
    drift = 2 * xi(np.asarray(grad, dtype=float) / scale, nu)
    return drift, np.maximum(1 - drift**2, 0.0)[()]


def xi(z: ArrayLike, nu: float = math.inf) -> np.ndarray:
    """Ξ_ν(z) = F_ν(z) − ½ = z Γ((ν + 1)/2)/(√(πν) Γ(ν/2)) ₂F₁(½, (ν + 1)/2; 3/2; −z²/ν)

    F_ν is the distribution function of Student's t. Shape of z. Elementary in a = atan(z/√ν) for integer ν ≤ 64:
    odd ν: (a + sin a·[cos a + ⅔cos³a + … up to cos^(ν−2)])/π,  even ν: ½ sin a·[1 + ½cos²a + … up to cos^(ν−2)];
    ½ erf(z/√2) for ν = ∞; an incomplete beta function otherwise. Raises ValueError for nu ≤ 0.
    """
    _require_tails(nu)
    z = np.asarray(z, dtype=float)
    if nu == math.inf:
        return scipy.special.erf(z / math.sqrt(2)) / 2
    a = np.arctan(z / math.sqrt(nu))
    if nu % 1 == 0 and nu <= LONGEST:
        return _elementary(a, int(nu))
    betainc = scipy.special.betainc
    tail = betainc(nu / 2, 0.5, 1 / (1 + z**2 / nu))  # keeps its digits where sin² rounds to 1
    return np.sign(z) * np.where(np.abs(a) < 0.7, betainc(0.5, nu / 2, np.sin(a) ** 2), 1 - tail) / 2


def initial_slope(nu: float = math.inf) -> float:
    """ℓ_ν = 2Γ((ν + 1)/2)/(√(πν) Γ(ν/2)):  drift ≈ ℓ_ν ∇f/s for |∇f| ≪ s

    √(2/π) for ν = ∞, 2/π for Cauchy noise. Raises ValueError for nu ≤ 0.
    """
    _require_tails(nu)
    if nu == math.inf:
        return math.sqrt(2 / math.pi)
    return 2 * math.exp(math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)) / math.sqrt(math.pi * nu)


def sign_covariance(correlation: ArrayLike) -> Number:
    """Cov(sign Zᵢ, sign Zⱼ) = (2/π) asin rᵢⱼ,  Gaussian noise at ∇f = 0

    Shape of `correlation`, in [−1, 1]; ValueError elsewhere. For gradients other than 0 the covariance is smaller.
    Student-t coordinates that share one χ² are uncorrelated at ∇f = 0 too if r = 0, but not beyond it.
    """
    r = np.asarray(correlation, dtype=float)
    require("correlation", r, np.abs(r) <= 1, "in [-1, 1]")
    return 2 / math.pi * np.arcsin(r)


def _elementary(a: np.ndarray, nu: int) -> np.ndarray:
    odd = nu % 2
    cosine, square = np.cos(a), np.cos(a) ** 2
    term = cosine if odd else np.ones_like(a)
    total = np.zeros_like(a)
    for power in range(odd, nu - 1, 2):
        total = total + term
        term = term * square * ((power + 1) / (power + 2))
    return np.clip((a + np.sin(a) * total) / math.pi if odd else np.sin(a) * total / 2, -0.5, 0.5)


def _require_tails(nu: float) -> None:
    if not nu > 0:
        raise ValueError(f"nu={nu}: must be > 0, inf for Gaussian noise")
