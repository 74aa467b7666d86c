"""Paths through the (β, γ) plane, along and across the levels of C, at points uniform in arc length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from aeos.theory.stability.coefficients import Number, level_curve_beta, stability_coefficient

TABLE = 2**16 + 1  # nodes: chords this short measure a curve across the square to about 1e-11


def normal_curve_invariant(beta: ArrayLike, gamma: ArrayLike) -> Number:
    """k = 2β³ + γ³, constant along the gradient flow of C:  dβ/dτ = 1/β²,  dγ/dτ = −2/γ²

    Shape of the broadcast arguments.
    """
    return 2 * np.asarray(beta, dtype=float) ** 3 + np.asarray(gamma, dtype=float) ** 3


def normal_curve(
    points: int, beta: float = 0.999, gamma: float = 0.9, section: tuple[float, float] | None = None
) -> np.ndarray:
    """2β³ + γ³ = k:  the curve through (β, γ) that crosses the levels of C at right angles, towards larger C

    Returns (points, 2), columns β and γ, uniform in arc length. Without `section`: from where the curve enters the
    unit square, at γ = 1 (at β = 0 if k < 1), which is degenerate and left out, to (β, γ) itself, the last row. With
    `section` = (c_low, c_high): from C = c_low to C = c_high, both included, anywhere on the curve within the unit
    square, so also beyond (β, γ).

    Raises ValueError for a section that the curve does not reach within the unit square, for β or γ outside (0, 1), and
    for points < 1, or < 2 with a section. arXiv 2411.05746, Figs. 2 to 4; the end left out is our reading.
    """
    for name, rate in {"beta": beta, "gamma": gamma}.items():
        if not 0 < rate < 1:
            raise ValueError(f"{name}={rate}: must be in (0, 1)")
    k = float(normal_curve_invariant(beta, gamma))
    enters, leaves = _angles(k)
    if section is None:
        _require_points(points, 1)
        fractions = np.arange(1, points + 1) / points
        curve = _uniform(lambda t: _normal(k, t), enters, float(np.arctan2(gamma, beta)), fractions)
        curve[-1] = beta, gamma
        return curve
    _require_points(points, 2)
    low, high = (float(stability_coefficient(*_normal(k, t).T)) for t in (enters, leaves))
    if not low <= section[0] < section[1] <= high:
        raise ValueError(
            f"section={section}: must be (c_low, c_high) with c_low < c_high, both between {low:.6g} and {high:.6g}, "
            f"which C has on the normal curve through ({beta}, {gamma}) where it enters and leaves the unit square"
        )
    start, stop = (_angle_at(c, k, enters, leaves) for c in section)
    return _uniform(lambda t: _normal(k, t), start, stop, np.linspace(0, 1, points))


def level_curve(points: int, c: float, gamma_low: float, gamma_high: float) -> np.ndarray:
    """β = γ/(2 − γ(1 + c)):  the level C(β, γ) = c between two γ, both ends included

    Returns (points, 2), columns β and γ, uniform in arc length. Raises ValueError where it leaves the unit square, at
    γ = min(1, 2/(2 + c)), unless 0 ≤ gamma_low < gamma_high, and for points < 2. arXiv 2411.05746, Fig. 2.
    """
    _require_points(points, 2)
    if not 0 <= gamma_low < gamma_high:
        raise ValueError(f"gamma_low={gamma_low}, gamma_high={gamma_high}: must be 0 <= gamma_low < gamma_high")
    end = 2 / (2 + max(c, 0.0))
    if not gamma_high <= end * (1 + 1e-15):
        raise ValueError(f"gamma_high={gamma_high}: must be <= {end:.6g}, where C = {c} leaves the unit square")
    return _uniform(
        lambda g: np.stack([np.minimum(level_curve_beta(g, c), 1.0), g], axis=-1),
        gamma_low,
        min(gamma_high, end),
        np.linspace(0, 1, points),
    )


def _normal(k: float, angle: ArrayLike) -> np.ndarray:
    """Where the ray at this angle to the β axis meets 2β³ + γ³ = k, (…) to (…, 2): regular also where β or γ is 0."""
    ray = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    radius = np.cbrt(k / normal_curve_invariant(ray[..., 0], ray[..., 1]))
    return np.minimum(radius[..., None] * ray, 1.0)


def _angles(k: float) -> tuple[float, float]:
    """Angles at which 2β³ + γ³ = k enters the unit square and leaves it in the direction of larger C."""
    enters = np.arctan2(min(1.0, np.cbrt(k)), np.cbrt(max(k - 1, 0) / 2))
    leaves = np.arctan2(np.cbrt(max(k - 2, 0)), min(1.0, np.cbrt(k / 2)))
    return float(enters), float(leaves)


def _angle_at(c: float, k: float, low: float, high: float) -> float:
    """The angle at which C = c, by bisection between the angles of a lower and a higher C, down to the last bit."""
    for _ in range(64):
        middle = (low + high) / 2
        if stability_coefficient(*_normal(k, middle)) < c:
            low = middle
        else:
            high = middle
    return high


def _uniform(curve: Callable[[np.ndarray], np.ndarray], start: float, stop: float, fractions: np.ndarray) -> np.ndarray:
    """Points of curve: (nodes,) → (nodes, 2) at these fractions of its arc length from parameter `start` to `stop`."""
    even = np.linspace(0, 1, TABLE)
    t = start + (stop - start) * even
    for _ in range(3):  # spreads the nodes themselves along the arc, where a steep stretch had too few
        length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve(t), axis=0).T))])
        t = np.interp(even * length[-1], length, t)
    return curve(np.interp(fractions, even, t))


def _require_points(points: int, least: int) -> None:
    if points < least or points != int(points):
        raise ValueError(f"points={points}: must be a whole number >= {least}")
