"""How large one update of Adam can be, whatever the gradients.

Everything comes from log β and log γ, and the bounds themselves as logarithms: they reach e^(10⁶) and beyond, and
1 − γⁿ and 1 − γ²/β lose their digits where the plane is of interest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aeos.theory.stability.coefficients import Number, choose, discrete_stability_coefficient, is_stable, rates, require


@np.errstate(all="ignore")
def log_max_update_bound(
    n: ArrayLike, beta: ArrayLike, gamma: ArrayLike, form: str = "continuous", bias_correction: bool = True
) -> Number:
    """log of √(1 − β^(n+1))/(1 − γ^(n+1)) · the form's bound on |mₙ|/√vₙ:

    continuous:    (1 − γ)/γ · √(β/(1 − β)) · {1/√C if C > 0;  √n if C = 0;  e^(n|C|/2)/√|C| if C < 0}
    unsimplified:  (1 − γ)/γ · √(β/(1 − β)) · √((1 − e^(−Cn))/C)
    discrete:      (1 − γ)/√(1 − β) · √(Σ_{j≤n} qʲ),  q = γ²/β

    n = 0, 1, … counts steps from 0 (torch's count is n + 1); shape of the broadcast arguments, 0 < β < 1, 0 ≤ γ < 1.
    `bias_correction` off leaves out the first factor. Nothing overflows or warns.

    discrete is exact: it holds for any gradients, noise, eps and weight decay, and is attained at every n at once, see
    `attaining_gradients`. continuous is the published bound. It is never below the discrete one where C > 0; where
    C < 0 it can be for small n (0.55 of it at n = 1, β = 0.31, γ = 0.999). C = 0 means to the rounding of β and γ: it
    is ∞ on both sides. unsimplified is a step of its proof, before a term is dropped: exact for the differential
    equations and continuous in C, but below the discrete one at small n, and 0 at n = 0, where |u| = 1.

    Raises ValueError for n < 0, rates out of range and unknown forms. arXiv 2411.05746, Theorem 1; discrete: derived.
    """
    n, (beta, gamma) = np.asarray(n, dtype=float), rates(beta, gamma)
    require("n", n, (n >= 0) & (n < np.inf), "a finite number >= 0")
    bound = choose(form, FORMS)(n, beta, gamma)
    if bias_correction:
        bound = bound + np.log(_one_less(beta, n + 1)) / 2 - np.log(_one_less(gamma, n + 1))
    return bound[()]


@np.errstate(all="ignore")
def max_update_bound(
    n: ArrayLike, beta: ArrayLike, gamma: ArrayLike, form: str = "continuous", bias_correction: bool = True
) -> Number:
    """‖uₙ‖_∞ = ‖θₙ₊₁ − θₙ‖_∞/η ≤ exp(log_max_update_bound(n, β, γ)), without weight decay in θₙ₊₁

    ∞ where that overflows, quietly. Arguments, shapes and errors of `log_max_update_bound`.
    """
    return np.exp(log_max_update_bound(n, beta, gamma, form, bias_correction))


@np.errstate(all="ignore")
def largest_bound(beta: ArrayLike, gamma: ArrayLike, form: str = "continuous") -> Number:
    """supₙ of max_update_bound, ∞ where it is unbounded:

    discrete:    (1 − γ)/√((1 − β)(1 − γ²/β)),  the limit n → ∞
    continuous:  (1 − γ)/γ · √(β/((1 − β)C)) · max(1, √(1 − β)/(1 − γ)),  the larger of the limit and the value at n = 0

    Shape of the broadcast arguments, 0 < β < 1, 0 ≤ γ < 1. Adam's defaults have 7.27 and 7.47; β = γ has 1 in the
    discrete form. The factor of the bias correction falls and then rises in n, or only falls, hence the two ends.
    Raises ValueError for rates out of range and for forms other than these two.
    """
    beta, gamma = rates(beta, gamma)
    ratio = (1 - beta) / beta * gamma / (1 - gamma)  # of the averages' rates; C ∝ 2 − ratio
    limit = {
        "continuous": np.maximum(1, np.sqrt(1 - beta) / (1 - gamma)) / np.sqrt(ratio * (2 - ratio)),
        "discrete": (1 - gamma) / np.sqrt((1 - beta) * -np.expm1(-discrete_stability_coefficient(beta, gamma))),
    }
    return np.where(is_stable(beta, gamma, form), choose(form, limit), np.inf)[()]


def attaining_gradients(k: ArrayLike, beta: ArrayLike, gamma: ArrayLike) -> Number:
    """log|gₖ| = k log(β/γ):  Adam driven by gₖ = (β/γ)ᵏ, k = 0, 1, …, attains the discrete bound at every n

    Shape of the broadcast arguments. All of one sign; any scale, since u is invariant to it: subtract the largest
    before taking exp. Raises ValueError unless β and γ are in (0, 1): at γ = 0, RMSProp attains its bound at n only if
    all gradients before were 0. Derived; equality in Cauchy–Schwarz.
    """
    beta, gamma = rates(beta, gamma)
    require("gamma", gamma, gamma > 0, "in (0, 1)")
    return np.asarray(k, dtype=float) * (np.log(beta) - np.log(gamma))


@np.errstate(divide="ignore", invalid="ignore", under="ignore")
def parameter_bound(
    n: ArrayLike, initial: ArrayLike, lr: ArrayLike, weight_decay: ArrayLike, largest_update: ArrayLike
) -> Number:
    """|θₙ| ≤ (1 − ηλ)ⁿ|θ₀| + M(1 − (1 − ηλ)ⁿ)/λ,  and |θ₀| + nηM for λ = 0

    n steps of AdamW whose updates are no larger than M = `largest_update`, from `largest_bound`, per coordinate: θₙ
    ends up within M/λ. Shape of the broadcast arguments. Raises ValueError unless 0 ≤ ηλ < 1. Derived.
    """
    n, eta, decay = (np.asarray(x, dtype=float) for x in (n, lr, weight_decay))
    require("lr*weight_decay", eta * decay, (eta * decay >= 0) & (eta * decay < 1), "in [0, 1)")
    shrunk = n * np.log1p(-eta * decay)
    moved = np.where(decay == 0, n * eta, -np.expm1(shrunk) / decay)
    return np.exp(shrunk) * np.abs(np.asarray(initial, dtype=float)) + moved * np.asarray(largest_update, dtype=float)


def _continuous(n: np.ndarray, beta: np.ndarray, gamma: np.ndarray, simplified: bool = True) -> np.ndarray:
    a, b = (1 - gamma) / gamma, (1 - beta) / beta
    c = 2 * a - b
    if simplified:
        c = np.where(np.abs(c) <= np.finfo(float).eps * (2 / gamma + 1 / beta), 0, c)
    size = np.abs(c)
    kept = 1 if simplified else -np.expm1(-n * size)
    integral = np.log(np.where(size == 0, n, kept / size)) + n * np.maximum(-c, 0)
    bound = np.log(a) + (integral - np.log(b)) / 2
    # γ = 0 is ∞·0: an average with no memory follows its input at once, through an equation with an infinite rate.
    return np.where(gamma == 0, np.inf if simplified else np.where(n == 0, -np.inf, np.inf), bound)


def _unsimplified(n: np.ndarray, beta: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    return _continuous(n, beta, gamma, simplified=False)


def _discrete(n: np.ndarray, beta: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    c = discrete_stability_coefficient(beta, gamma)
    size = np.abs(c)
    terms = np.where(size == 0, n + 1, np.expm1(-(n + 1) * size) / np.expm1(-size))
    return np.log1p(-gamma) + (np.log(terms) + n * np.maximum(-c, 0) - np.log1p(-beta)) / 2


def _one_less(rate: np.ndarray, n: np.ndarray) -> np.ndarray:
    """1 − rateⁿ."""
    return -np.expm1(n * np.log(rate))


FORMS = {"continuous": _continuous, "unsimplified": _unsimplified, "discrete": _discrete}
