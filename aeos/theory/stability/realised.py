"""What of the possible growth a run realises: that depends on how its gradients move, not on β and γ alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aeos.theory.stability.coefficients import Number, rates, require


@np.errstate(all="ignore")
def realised_growth_rate(beta: ArrayLike, gamma: ArrayLike, r: ArrayLike) -> Number:
    """d log|uₙ|/dn → max(log γ, −r) − max(log(β)/2, −r)  for a gradient gₙ ∝ e^(−rn), eps = 0

    Shape of the broadcast arguments, 0 < β < 1, 0 ≤ γ < 1, r per step, > −∞. 0 while both averages follow the gradient;
    the full −C_disc/2 once it decays faster than both forget, r ≥ −log(β)/2 and r ≥ −log γ, as after an impulse,
    r = ∞. So updates grow only where gradients vanish: interpolation, saturation. Raises ValueError for arguments out
    of range. Derived.
    """
    beta, gamma = rates(beta, gamma)
    r = np.asarray(r, dtype=float)
    require("r", r, r > -np.inf, "a number > -inf")
    return np.maximum(np.log(gamma), -r) - np.maximum(np.log(beta) / 2, -r)


@np.errstate(all="ignore")
def eps_saturation(v0: ArrayLike, eps: ArrayLike, beta: ArrayLike) -> Number:
    """n* = 2 log(√v₀/eps)/log(1/β): steps without a gradient until √v has fallen from √v₀ to eps

    Shape of the broadcast arguments; 0 where √v₀ ≤ eps already, ∞ for eps = 0. The update grows until about n*, then
    decays as γⁿ. eps stands outside the root. Raises ValueError unless v₀ > 0, eps ≥ 0 and 0 < β < 1. Derived.
    """
    v0, eps, beta = (np.asarray(x, dtype=float) for x in (v0, eps, rates(beta, 0.0)[0]))
    require("v0", v0, v0 > 0, "> 0")
    require("eps", eps, eps >= 0, ">= 0")
    return np.maximum(0.0, (2 * np.log(eps) - np.log(v0)) / np.log(beta))


def noise_update_rms(gamma: ArrayLike) -> Number:
    """rms u = √((1 − γ)/(1 + γ)) for gradients that are white noise, β → 1

    Shape of γ in [0, 1): 0.229 for Adam's default. Raises ValueError for γ out of range. Derived.
    """
    gamma = rates(0.5, gamma)[1]
    return np.sqrt((1 - gamma) / (1 + gamma))
