"""The stability coefficient, published and exact: its sign decides whether updates stay bounded.

Each comes in two forms. "continuous" is the published one, of Adam's moving averages as differential equations;
"discrete" is exact for the averages as they are computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

Number = float | np.ndarray
T = TypeVar("T")


@np.errstate(all="ignore")
def stability_coefficient(beta: ArrayLike, gamma: ArrayLike) -> Number:
    """C(β, γ) = 2(1 − γ)/γ − (1 − β)/β

    Per optimizer step; shape of the broadcast arguments, 0 < β ≤ 1, 0 ≤ γ ≤ 1. +∞ at γ = 0, which is RMSProp.
    C > 0 implies γ² < β, by γ²C = (β − γ²) − (β − γ)²/β, and not the other way round: see `sliver_width`.
    Raises ValueError for rates out of range. Gould & Tanaka, arXiv 2411.05746, Theorem 1.
    """
    beta, gamma = rates(beta, gamma, below_one=False)
    return 2 * ((1 - gamma) / gamma) - (1 - beta) / beta


@np.errstate(all="ignore")
def discrete_stability_coefficient(beta: ArrayLike, gamma: ArrayLike) -> Number:
    """C_disc(β, γ) = log(β/γ²)

    Per optimizer step; shape of the broadcast arguments, 0 < β ≤ 1, 0 ≤ γ ≤ 1; +∞ at γ = 0. Positive iff the largest
    possible update is bounded, and exactly twice the rate at which that update shrinks or grows after an impulse.
    Raises ValueError for rates out of range. Derived; Cauchy–Schwarz on the averages as sums.
    """
    beta, gamma = rates(beta, gamma, below_one=False)
    return np.log(beta) - 2 * np.log(gamma)


COEFFICIENT = {"continuous": stability_coefficient, "discrete": discrete_stability_coefficient}


def growth_rate(beta: ArrayLike, gamma: ArrayLike, form: str = "continuous") -> Number:
    """max(0, −C/2): the rate per step at which the bound on the update grows, d log bound/dn for n → ∞

    Shape of the broadcast arguments; C is C_disc for form="discrete". Whether a run realises it is another question:
    see `realised_growth_rate`. Raises ValueError for rates out of range and unknown forms. arXiv 2411.05746, Fig. 3b.
    """
    return np.maximum(0.0, -choose(form, COEFFICIENT)(beta, gamma) / 2)


def stable_gamma(beta: ArrayLike, form: str = "continuous") -> Number:
    """C = 0:  γ = 2β/(1 + β);   C_disc = 0:  γ = √β

    Shape of β in [0, 1]. Updates are bounded below this γ. Raises ValueError for β out of range and unknown forms.
    """
    beta = np.asarray(beta, dtype=float)
    require("beta", beta, (beta >= 0) & (beta <= 1), "in [0, 1]")
    return choose(form, {"continuous": 2 * beta / (1 + beta), "discrete": np.sqrt(beta)})


def is_stable(beta: ArrayLike, gamma: ArrayLike, form: str = "continuous") -> bool | np.ndarray:
    """γ < 2β/(1 + β) ⟺ C > 0;   γ < √β ⟺ C_disc > 0

    Shape of the broadcast arguments. The published region B₊, or the exact one, which contains it. Raises ValueError
    for rates out of range and unknown forms.
    """
    beta, gamma = rates(beta, gamma, below_one=False)
    return gamma < stable_gamma(beta, form)


def sliver_width(gamma: ArrayLike) -> Number:
    """γ/(2 − γ) − γ² = γ(1 − γ)²/(2 − γ): the width in β of the sliver γ² < β ≤ γ/(2 − γ)

    Shape of γ in [0, 1]. In the sliver C ≤ 0 although the update is bounded. Raises ValueError for γ out of range.
    """
    gamma = np.asarray(gamma, dtype=float)
    require("gamma", gamma, (gamma >= 0) & (gamma <= 1), "in [0, 1]")
    return gamma * (1 - gamma) ** 2 / (2 - gamma)


@np.errstate(all="ignore")
def level_curve_gamma(beta: ArrayLike, c: ArrayLike) -> Number:
    """C(β, γ) = c:  γ = 2β/(1 + β(1 + c))

    Shape of the broadcast arguments. From (0, 0) to (1, 2/(2 + c)) for c ≥ 0, to (1/(1 − c), 1) for c < 0: beyond it
    values are negative, ∞, or larger than 1. arXiv 2411.05746, Fig. 2.
    """
    beta, c = np.asarray(beta, dtype=float), np.asarray(c, dtype=float)
    return 2 * beta / (1 + beta * (1 + c))


@np.errstate(all="ignore")
def level_curve_beta(gamma: ArrayLike, c: ArrayLike) -> Number:
    """C(β, γ) = c:  β = γ/(2 − γ(1 + c))

    Shape of the broadcast arguments; `level_curve_gamma` the other way round.
    """
    gamma, c = np.asarray(gamma, dtype=float), np.asarray(c, dtype=float)
    return gamma / (2 - gamma * (1 + c))


def rates(beta: ArrayLike, gamma: ArrayLike, below_one: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """0 < β < 1 and 0 ≤ γ < 1 as arrays; `below_one` off admits 1. Raises ValueError elsewhere."""
    beta, gamma = np.asarray(beta, dtype=float), np.asarray(gamma, dtype=float)
    below = np.less if below_one else np.less_equal
    end = "1)" if below_one else "1]"
    require("beta", beta, (beta > 0) & below(beta, 1), f"in (0, {end}")
    require("gamma", gamma, (gamma >= 0) & below(gamma, 1), f"in [0, {end}")
    return beta, gamma


def choose(form: str, table: Mapping[str, T]) -> T:
    """The entry of one form. Raises ValueError for a form that the table does not have."""
    if form not in table:
        raise ValueError(f"form={form}: must be one of {', '.join(table)}")
    return table[form]


def require(name: str, value: np.ndarray, holds: np.ndarray, says: str) -> None:
    """Raises ValueError that names the first value of which it does not hold."""
    if not np.all(holds):
        raise ValueError(f"{name}={value[~holds].flat[0]}: must be {says}")
