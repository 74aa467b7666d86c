"""How gradient descent turns a sharpness above 2/η back: the map of two numbers that the cubic model leaves of it.

x is the oscillation of period 2 along the top eigenvector u, y = S − 2/η how far the sharpness is above the edge, both
at midpoints w̄ = (w_t + w_{t+1})/2, where x = u·(w_t − w_{t+1})/2. With ∇S^⊥ the part of ∇S at right angles to u,
α = −⟨∇L, ∇S^⊥⟩ is what the gradient sharpens, and β = ‖∇S^⊥‖². Damian, Nichani and Lee, arXiv 2209.15594.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Number = float | np.ndarray


class Path(NamedTuple):
    """Of `trajectory`."""

    x: np.ndarray
    y: np.ndarray


@np.errstate(invalid="ignore", divide="ignore")
def balance(alpha: ArrayLike, beta: ArrayLike) -> Number:
    """δ = √(2α/β): the |x| at which self-stabilization, ½βx², balances progressive sharpening, α

    Shape of the broadcast arguments; nan for α < 0, which nothing has to balance.
    """
    return np.sqrt(2 * np.asarray(alpha, dtype=float) / np.asarray(beta, dtype=float))


@np.errstate(over="ignore", invalid="ignore")
def trajectory(x: ArrayLike, y: ArrayLike, lr: ArrayLike, alpha: ArrayLike, beta: ArrayLike, steps: int) -> Path:
    """xₜ₊₁ = −(1 + ηyₜ)xₜ,  yₜ₊₁ = yₜ + ηα(1 − xₜ²/δ²) = yₜ + η(α − ½βxₜ²)

    x and y at the start, of a shape (…) that the two have when broadcast; lr, α and β broadcast to (steps, …): numbers,
    or one a step. Returns both, (steps + 1, …), the start first. Of three terms of Taylor's series: see `reach`.
    """
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    each = (np.broadcast_to(np.asarray(value, dtype=float), (steps, *x.shape)) for value in (lr, alpha, beta))
    xs, ys = [x], [y]
    for eta, a, b in zip(*each, strict=True):
        xs.append(-(1 + eta * ys[-1]) * xs[-1])
        ys.append(ys[-1] + eta * (a - b * xs[-2] ** 2 / 2))
    return Path(np.stack(xs), np.stack(ys))


def multiplier(lr: ArrayLike, alpha: ArrayLike) -> complex | np.ndarray:
    """1 + iη√(2α): by what one step multiplies a small deviation (log|x|/δ, y) from the fixed point |x| = δ, y = 0

    And its conjugate. The angle is that of a cycle in one step, so that one takes about 2π/(η√(2α)) of them; the
    modulus √(1 + 2η²α) is above 1: cycles widen, slowly, about a point that no orbit settles at. Shape of the broadcast
    arguments. Derived.
    """
    return 1 + 1j * np.asarray(lr, dtype=float) * np.sqrt(2 * np.asarray(alpha, dtype=float))


@np.errstate(invalid="ignore", divide="ignore", over="ignore")
def energy(x: ArrayLike, y: ArrayLike, lr: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> Number:
    """E = [(1 + ηy)log(1 + ηy) − ηy]/(η²α) + ½(x²/δ² − 1) − log|x/δ|

    0 at the fixed point, positive elsewhere. Constant in the limit of many steps a cycle, d log|x|/dt = log(1 + ηy),
    dy/dt = ηα(1 − x²/δ²), whose orbits are closed; the map never lowers it, as E is convex in (log|x|, y). Shape of the
    broadcast arguments; nan for y < −1/η, where x no longer changes its sign. Derived.
    """
    eta, alpha = np.asarray(lr, dtype=float), np.asarray(alpha, dtype=float)
    growth = eta * np.asarray(y, dtype=float)
    size = np.abs(np.asarray(x, dtype=float)) / balance(alpha, beta)
    above = (1 + growth) * np.log1p(growth) - growth
    return above / (eta**2 * alpha) + (size**2 - 1) / 2 - np.log(size)


@np.errstate(invalid="ignore", divide="ignore")
def largest(energy: ArrayLike) -> Number:
    """The larger root r of ½(r² − 1) − log r = E: on an orbit of that energy |x| comes to r·δ, where y = 0

    In the limit of many steps a cycle; the map's energy rises meanwhile. Shape of E, nan where E < 0. Derived.
    """
    energy = np.asarray(energy, dtype=float)
    r = 1 + np.sqrt(2 * energy)  # above the root, as log r ≤ r − 1; Newton's steps then stay above it
    for _ in range(20):
        r = np.where(r > 1, r - ((r * r - 1) / 2 - np.log(r) - energy) / (r - 1 / r), r)
    return r[()]


def reach(lr: ArrayLike, beta: ArrayLike, part: float = 0.25) -> Number:
    """part·2/(η√β): the |x| up to which the cubic model is to be trusted

    2/(η√β) is the length over which a sharpness of 2/η that fell at the rate ‖∇S^⊥‖ would be gone. The model takes the
    slope of S for constant, so that distances must be a small part of it. With 1/4 the sharpness falls by 1/16 of 2/η
    a step. In units of δ this is 1/(η√(8α)), a few in practice. Shape of the broadcast arguments. Derived; that part
    was set after runs of the edge problem.
    """
    return part * 2 / (np.asarray(lr, dtype=float) * np.sqrt(np.asarray(beta, dtype=float)))
