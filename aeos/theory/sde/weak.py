"""How well SignSGD's SDE, and Euler–Maruyama on it, predict expectations of the optimizer, without Monte Carlo.

Both expectations solve a backward equation on Chebyshev nodes. It needs no boundary values: the gradient points
outwards at the ends, so that all paths stay inside, and the noise is switched off smoothly where no path gets to.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike

from aeos.theory.sde.lattice import Function, lattice_expectation
from aeos.theory.sde.signsgd import signsgd_coefficients
from aeos.theory.stability.coefficients import Number

NODES = 128
REACH = 6.0  # standard deviations that a path may stray from its start, away from the minimum
MARGIN = 1.25  # of the interval, over what is within reach: there the noise fades out


class Grid(NamedTuple):
    """Nodes x (n,) on [−end, end], b and the variance of the sign there; functions are their values on the nodes."""

    end: float
    x: np.ndarray
    drift: np.ndarray
    variance: np.ndarray

    def basis(self, points: np.ndarray) -> np.ndarray:
        """(…, n): Chebyshev's polynomials at points (…) in [−end, end]."""
        return chebyshev.chebvander(points / self.end, len(self.x) - 1)

    def coefficients(self) -> np.ndarray:
        """(n, n): from values to coefficients, the inverse of `basis` at the nodes, which are extrema."""
        ends = np.where(np.abs(self.x) == self.end, 0.5, 1.0)
        return 2 / (len(self.x) - 1) * ends[:, None] * self.basis(self.x).T * ends

    def at(self, point: float) -> np.ndarray:
        """(n,): from values to the value at a point."""
        return self.basis(np.array([point]))[0] @ self.coefficients()

    def derivative(self) -> np.ndarray:
        """(n, n): from values to those of the derivative."""
        slopes = chebyshev.chebder(np.eye(len(self.x))) / self.end
        return self.basis(self.x)[:, :-1] @ slopes @ self.coefficients()


def sde_expectation(
    test: Function,
    grad: Function,
    start: float,
    scale: float,
    lr: float,
    horizon: float,
    nu: float = math.inf,
    *,
    width: float | None = None,
    nodes: int = NODES,
) -> Number:
    """E φ(X_T) = u(T, x₀),  ∂u/∂t = −b u′ + (η/2)(1 − b²) u″,  u(0, ·) = φ,  b = E sign(∇f + sZ)

    SignSGD's SDE from X₀ = start. `test` maps (sites,) to (sites,), or (sites, m) for m functions at once; shape (m,),
    or (). By collocation on [−width, width] and a matrix exponential: to about 1e-8 for test functions and coefficients
    that the nodes resolve. Paths must stay within 0.8 of the width, which is (|start| + 6√(ηT))/0.8 unless given: give
    it where the minimum is further from 0 than the start is. Raises ValueError if the gradient does not point outwards
    at both ends, and for scale or nu ≤ 0.
    """
    grid = _grid(grad, start, scale, lr, horizon, nu, width, nodes)
    d = grid.derivative()
    generator = -grid.drift[:, None] * d + lr / 2 * grid.variance[:, None] * (d @ d)
    return grid.at(start) @ scipy.linalg.expm(horizon * generator) @ test(grid.x)


def euler_expectation(
    test: Function,
    grad: Function,
    start: float,
    scale: float,
    lr: float,
    horizon: float,
    nu: float = math.inf,
    *,
    substeps: int = 1,
    width: float | None = None,
    nodes: int = NODES,
) -> Number:
    """E φ(X̂_T) = u_N(x₀),  u_{k+1}(x) = E u_k(x − hb + √(ηh(1 − b²)) Z),  u₀ = φ,  h = η/substeps,  N = T/h

    Euler–Maruyama at dt = h: Chapman–Kolmogorov backwards, by Gauss–Hermite quadrature. Other arguments, shapes and
    errors of `sde_expectation`. At substeps = 1 it has both conditional moments of an optimizer step, and is of second
    order to the optimizer: it takes dt ≤ η/4 to test the SDE itself. Raises ValueError for T not a multiple of η.
    """
    grid = _grid(grad, start, scale, lr, horizon, nu, width, nodes)
    h = lr / substeps
    z, weights = np.polynomial.hermite_e.hermegauss(20)
    moved = (grid.x - h * grid.drift)[:, None] + np.sqrt(lr * h * grid.variance)[:, None] * z
    expected = weights / weights.sum() @ grid.basis(moved.clip(-grid.end, grid.end))
    step = expected @ grid.coefficients()
    power = np.linalg.matrix_power(step, count_steps(horizon, lr) * substeps)
    return grid.at(start) @ power @ test(grid.x)


def weak_errors(
    test: Function,
    lrs: ArrayLike,
    *,
    grad: Function | None = None,
    start: float = 1.0,
    scale: float = 1.0,
    horizon: float = 1.0,
    nu: float = math.inf,
    substeps: int | None = None,
) -> np.ndarray:
    """E φ(x_N) − E φ(X_T),  N = T/η:  SignSGD against its SDE, or against Euler–Maruyama at dt = η/substeps

    One row for each lr, of shape () or (m,) as `test`. f = x²/2 unless `grad` is given. Raises ValueError for T that is
    not a multiple of each lr, and as `sde_expectation`.
    """
    grad = grad or (lambda x: x)
    errors = []
    for lr in np.atleast_1d(np.asarray(lrs, dtype=float)).tolist():
        exact = lattice_expectation(test, grad, start, scale, lr, count_steps(horizon, lr), nu)
        if substeps is None:
            model = sde_expectation(test, grad, start, scale, lr, horizon, nu)
        else:
            model = euler_expectation(test, grad, start, scale, lr, horizon, nu, substeps=substeps)
        errors.append(exact - model)
    return np.array(errors)


def observed_order(errors: ArrayLike, lrs: ArrayLike) -> np.ndarray:
    """αᵢ = log|eᵢ₊₁/eᵢ| / log(ηᵢ₊₁/ηᵢ):  the slope between neighbours

    errors (n, …) for lrs (n,); returns (n − 1, …). 1 is what the theorems promise as η → 0. An error that changes its
    sign has slopes far from its order there: drop those.
    """
    errors, lrs = np.asarray(errors, dtype=float), np.asarray(lrs, dtype=float)
    steps = np.diff(np.log(lrs)).reshape(-1, *[1] * (errors.ndim - 1))
    return np.diff(np.log(np.abs(errors)), axis=0) / steps


def count_steps(horizon: float, lr: float) -> int:
    """T/η. Raises ValueError where that is no whole number."""
    steps = round(horizon / lr)
    if steps < 1 or not math.isclose(steps * lr, horizon, rel_tol=1e-9):
        raise ValueError(f"horizon={horizon}: must be a multiple of lr={lr}, a step of the optimizer")
    return steps


def _grid(
    grad: Function, start: float, scale: float, lr: float, horizon: float, nu: float, width: float | None, nodes: int
) -> Grid:
    end = width or MARGIN * (abs(start) + REACH * math.sqrt(lr * horizon))
    x = end * np.cos(np.pi * np.arange(nodes) / (nodes - 1))
    drift, variance = signsgd_coefficients(grad(x), scale, nu)
    if not drift[0] > 0 > drift[-1]:
        raise ValueError(f"width={end:.3g}: must be wide enough that the gradient points outwards at both ends")
    fade = (MARGIN * np.abs(x) / end - 1) / (MARGIN - 1)  # from 0 within reach to 1 at the ends
    taper = scipy.special.erfc(6 * (2 * fade - 1)) / 2
    return Grid(end, x, drift, variance * taper)
