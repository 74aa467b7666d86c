"""The phases of SignSGD: catches typed constants, a band on the wrong side for Y < 0, a sign convention swapped."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import erf

from aeos.theory.sde import (
    PHASE,
    initial_slope,
    lattice_law,
    phase,
    phase1_drift,
    phase2_band,
    phase2_fluctuation,
    phase3_coefficients,
    signsgd_coefficients,
)

WITHIN = np.linspace(1, 1.5, 2001)


def test_the_sheets_constants() -> None:
    assert f"{PHASE.m:.6f} {PHASE.q1:.6f} {PHASE.q2:.6f} {PHASE.tangent:.6f}" == "0.246809 0.595892 0.614478 1.232852"
    assert PHASE.q1 == math.erf(1) - PHASE.m
    assert 2 / math.sqrt(math.pi) * math.exp(-(PHASE.tangent**2)) == pytest.approx(PHASE.m, rel=1e-14)


def test_phases_by_their_edges() -> None:
    assert phase([0, 1, -1, 1.0001, -1.5, 1.5, 1.5001, -9]).tolist() == [3, 3, 3, 2, 2, 2, 1, 1]
    assert phase(-1.2) == 2


def test_phase_1_leaves_out_at_most_what_the_docstring_says() -> None:
    y = np.concatenate([-np.linspace(1.5, 6, 200), np.linspace(1.5, 6, 200)])
    errors = np.abs(phase1_drift(y) + erf(y))
    assert f"{errors.max():.4f}" == "0.0339"


@pytest.mark.parametrize("sign", [1, -1])
def test_the_band_holds_the_drift_and_touches_it(sign: int) -> None:
    low, high = phase2_band(sign * WITHIN)
    drift = -erf(sign * WITHIN)
    assert np.all(low <= drift + 1e-15)
    assert np.all(drift <= high + 1e-15)
    near, far = (low, high) if sign > 0 else (high, low)  # tangent and secant
    assert np.abs(near - drift).min() < 1e-8
    assert abs(far - drift)[[0, -1]].max() < 1e-15
    np.testing.assert_allclose(high - low, PHASE.q2 - PHASE.q1, rtol=1e-13)


def test_phase_3_is_the_tangent_at_0() -> None:
    grad = np.array([1e-6, -1e-6])
    for nu in (1.0, 2.0, math.inf):
        for a, b in zip(phase3_coefficients(grad, 0.1, nu), signsgd_coefficients(grad, 0.1, nu), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9)
    drift, variance = phase3_coefficients(0.1 * math.sqrt(2), 0.1)
    assert f"{drift - erf(1):.3f}" == "0.286"  # at Y = 1
    assert variance == 0  # where it exceeds 1
    assert phase3_coefficients(0.05, 0.1)[1] == 1 - (initial_slope() / 2) ** 2
    with pytest.raises(ValueError, match="scale=0"):
        phase3_coefficients(1.0, 0.0)


@pytest.mark.parametrize(("lr", "s"), [(1e-3, 0.1), (1e-3, 1.0), (1e-2, 3.0)])
@pytest.mark.parametrize("side", [1, -1])
def test_fluctuations_in_phase_2(lr: float, s: float, side: int) -> None:
    """P(|X − EX|² > a) of the optimizer itself, from |Y| = 1.5 until E|Y| = 1."""
    steps = np.arange(1, int(1.2 * s / lr))
    sites, laws = lattice_law(lambda x: x, side * 1.5 * s * math.sqrt(2), s, lr, steps)
    mean = laws @ sites
    inside = np.flatnonzero(np.abs(mean) > s * math.sqrt(2))
    last = inside[-1]
    square = (sites - mean[last]) ** 2
    y, t = np.array([side * 1.0]), steps[last] * lr
    for a in np.array([0.5, 2, 8]) * (laws[last] @ square):
        bound = phase2_fluctuation(a, y, lr, t, "corrected")
        assert laws[last] @ (square > a) <= bound
        paper = phase2_fluctuation(a, y, lr, t)
        assert paper == pytest.approx(bound / t * (1 if side > 0 else 0.2582 / 0.2899), rel=1e-3)
    assert f"{phase2_fluctuation(1, [-1.0], 1) / phase2_fluctuation(1, [1.0], 1) - 1:.2f}" == "-0.11"
