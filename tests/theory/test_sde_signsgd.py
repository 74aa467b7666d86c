"""Mean and variance of a noisy sign: catches a wrong series, a lost digit, a scale taken for a standard deviation."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad
from scipy.special import erf

from aeos.theory.sde import initial_slope, sign_covariance, signsgd_coefficients, xi

Z = np.concatenate([np.linspace(-8, 8, 161), [-1e8, -40.0, 40.0, 1e8, math.inf]])
ENDS = [(-math.inf, -0.6), (-0.6, math.inf)]  # either side of where the sign changes


@pytest.mark.parametrize("nu", [*range(1, 13), 33, 64, 65, 0.3, 1.5, 2.7, 1e4])
def test_xi_is_students_distribution_function(nu: float) -> None:
    expected = stats.t.cdf(Z, nu) - 0.5  # half an ulp of ½ lost by the subtraction
    np.testing.assert_allclose(xi(Z, nu), expected, rtol=0, atol=4e-16 if nu <= 12 else 4e-15)


def test_xi_keeps_its_digits_near_0_and_tends_to_the_gaussian() -> None:
    for nu in (1, 2, 2.5, 7, 100.5, math.inf):
        assert 2 * xi(1e-9, nu) == pytest.approx(1e-9 * initial_slope(nu), rel=1e-13)
    np.testing.assert_allclose(xi(Z, 1e9), erf(Z / math.sqrt(2)) / 2, atol=1e-9)
    assert xi(1.0, 2) == pytest.approx(1 / (2 * math.sqrt(3)), rel=1e-15)
    assert xi(1.0, 1) == pytest.approx(0.25, rel=1e-15)


@given(st.floats(-50, 50), st.one_of(st.integers(1, 64).map(float), st.floats(0.1, 100), st.just(math.inf)))
def test_drift_is_odd_below_one_and_variance_what_remains(grad: float, nu: float) -> None:
    drift, variance = signsgd_coefficients(grad, 0.7, nu)
    mirrored, same = signsgd_coefficients(-grad, 0.7, nu)
    assert drift == -mirrored
    assert variance == same
    assert abs(drift) <= 1
    assert 0 <= variance <= 1
    assert drift**2 + variance == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize(("nu", "density"), [(math.inf, stats.norm.pdf), (3, lambda z: stats.t.pdf(z, 3))])
def test_they_are_the_moments_of_the_sign(nu: float, density: object) -> None:
    """By integrals over the noise, with grad and scale apart: only their ratio counts."""
    assert callable(density)
    grad, scale = 0.03, 0.05
    mean = sum(quad(lambda z: np.sign(grad + scale * z) * density(z), *ends)[0] for ends in ENDS)
    drift, variance = signsgd_coefficients(grad, scale, nu)
    assert drift == pytest.approx(mean, abs=1e-8)
    assert variance == pytest.approx(1 - mean**2, abs=1e-8)


def test_it_broadcasts() -> None:
    drift, variance = signsgd_coefficients(np.ones((3, 1)), np.array([1.0, 2.0]), 2)
    assert drift.shape == variance.shape == (3, 2)
    assert drift[0, 1] == signsgd_coefficients(1.0, 2.0, 2)[0]


@pytest.mark.parametrize(
    ("nu", "printed"), [(1, "0.63662"), (2, "0.70711"), (3, "0.73511"), (4, "0.75000"), (5, "0.75921")]
)
def test_the_sheets_slopes(nu: float, printed: str) -> None:
    assert f"{initial_slope(nu):.5f}" == printed
    assert f"{initial_slope():.5f}" == "0.79788"
    assert initial_slope(nu) == pytest.approx(2 * stats.t.pdf(0, nu), rel=1e-14)


def test_the_sheets_covariances_of_signs() -> None:
    assert [f"{c:.5f}" for c in sign_covariance([0.3, 0.8])] == ["0.19397", "0.59033"]
    assert sign_covariance([-1, 0, 1]).tolist() == [-1, 0, 1]
    orthant = stats.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]]).cdf([0, 0])
    assert sign_covariance(0.8) == pytest.approx(4 * orthant - 1, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: signsgd_coefficients(1.0, 0.0), "scale=0.0: must be > 0"),
        (lambda: signsgd_coefficients(1.0, [1.0, -2.0]), "scale=-2.0: must be > 0"),
        (lambda: signsgd_coefficients(1.0, 1.0, 0), "nu=0: must be > 0, inf for Gaussian noise"),
        (lambda: initial_slope(math.nan), "nu=nan: must be > 0"),
        (lambda: sign_covariance(1.1), "correlation=1.1: must be in [-1, 1]"),
    ],
)
def test_what_is_refused(call: object, says: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=re.escape(says)):
        call()
