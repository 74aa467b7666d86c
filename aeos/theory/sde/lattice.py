"""SignSGD in one dimension without Monte Carlo: a random walk on start + lr·ℤ, whose law is a vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from aeos.theory.sde.signsgd import initial_slope, signsgd_coefficients
from aeos.theory.stability.coefficients import Number, require

Function = Callable[[np.ndarray], np.ndarray]


def lattice_law(
    grad: Function, start: float, scale: float, lr: float, steps: int | Sequence[int], nu: float = math.inf
) -> tuple[np.ndarray, np.ndarray]:
    """x ← x − η sign(∇f(x) + sZ):  pₖ₊₁(x) = pₖ(x − η)·P(Z < −∇f(x − η)/s) + pₖ(x + η)·P(Z > −∇f(x + η)/s)

    Z Gaussian, or Student-t for finite ν. grad maps (sites,) to (sites,). Returns the sites (2k + 1,) that k =
    max(steps) steps reach, and the law after each count in `steps`: (len(steps), sites), or (sites,) for one number.
    Exact up to rounding; a separable objective is one call a coordinate. Raises ValueError for scale or nu ≤ 0.
    """
    counts = np.atleast_1d(steps)
    last = int(counts.max())
    sites = start + lr * np.arange(-last, last + 1)
    drift, _ = signsgd_coefficients(grad(sites), scale, nu)
    up, down = (1 - drift) / 2, (1 + drift) / 2
    law = np.zeros(len(sites))
    law[last] = 1.0
    laws = np.empty((len(counts), len(sites)))
    for k in range(last + 1):
        laws[counts == k] = law
        law = np.concatenate([(law * down)[1:], [0.0]]) + np.concatenate([[0.0], (law * up)[:-1]])
    return sites, laws if np.ndim(steps) else laws[0]


def lattice_expectation(
    test: Function,
    grad: Function,
    start: float,
    scale: float,
    lr: float,
    steps: int | Sequence[int],
    nu: float = math.inf,
) -> Number:
    """E φ(xₖ) of SignSGD from x₀ = start, exactly

    `test` φ maps (sites,) to (sites,), or (sites, m) for m functions at once. Shape (m,), or () for one function; one
    row for each of several `steps`. Other arguments and errors of `lattice_law`.
    """
    sites, law = lattice_law(grad, start, scale, lr, steps, nu)
    return law @ test(sites)


def lattice_variance(curvature: ArrayLike, scale: ArrayLike, lr: ArrayLike, nu: float = math.inf) -> Number:
    """Var x of SignSGD's stationary law on ηℤ for f = λx²/2:  π(x + η)/π(x) = P(up from x)/P(down from x + η)

    The sum of the series, to rounding; averaged over even and odd steps, which the walk spends on different sites. Any
    other lattice, start + ηℤ, gives the same but for e^(−2π²Var/η²). Shape of the broadcast arguments; ∞ for
    curvature ≤ 0. Raises ValueError for scale or nu ≤ 0.
    """
    scales = np.asarray(scale, dtype=float)
    require("scale", scales, scales > 0, "> 0: without noise the sign has no SDE")
    each: np.ndarray = np.vectorize(_one_variance, otypes=[float])(curvature, scales, lr, nu)
    return each[()]


def _one_variance(curvature: float, scale: float, lr: float, nu: float) -> float:
    pull = lr * curvature / scale
    if not pull > 0:
        return math.inf
    sites = 64 + int(16 / math.sqrt(initial_slope(nu) * pull))  # 16 standard deviations, were the walk Gaussian
    while True:
        i = np.arange(1, sites + 1)
        drift, _ = signsgd_coefficients(np.append(0, i) * pull, 1.0, nu)
        with np.errstate(divide="ignore"):
            weights = np.exp(np.cumsum(np.log1p(-drift[:-1]) - np.log1p(drift[1:])))
        if i[-1] ** 2 * weights[-1] < 1e-17 * (i**2 @ weights):
            return float(lr**2 * 2 * (i**2 @ weights) / (1 + 2 * weights.sum()))
        sites *= 2
