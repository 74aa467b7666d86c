"""Would catch: a map that is not gradient descent's own, an orbit that shrinks, and an energy that anything lowers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from aeos.theory.self_stabilization import balance, energy, largest, multiplier, reach, trajectory

LR, ALPHA, BETA = 0.4, 0.03, 90.0
DELTA = float(balance(ALPHA, BETA))


def test_it_is_gradient_descent_on_the_cubic() -> None:
    """L = ½(2/η + y₀ + kb)a² − fb:  S = ∂²L/∂a², α = kf, β = k²; no digit is left to models."""
    k, f, y = 3.0, 0.2, 0.1
    a, b, path = 1e-3, 0.0, []
    for _ in range(60):
        path.append((a, y + k * b))
        a, b = a - LR * (2 / LR + y + k * b) * a, b - LR * (k * a * a / 2 - f)
    x, above = trajectory(1e-3, y, LR, k * f, k * k, 59)
    np.testing.assert_allclose(np.stack([x, above], axis=1), path, rtol=1e-9)
    assert np.abs(x).max() > 3 * balance(k * f, k * k) > 0  # it blew up and came back
    assert above.min() < 0


def test_at_the_fixed_point_only_the_sign_changes() -> None:
    x, y = trajectory(DELTA, 0.0, LR, ALPHA, BETA, 20)
    np.testing.assert_allclose(x, DELTA * (-1.0) ** np.arange(21), rtol=1e-12)
    np.testing.assert_allclose(y, 0, atol=1e-14)
    assert np.isnan(balance(-ALPHA, BETA))


def test_the_multiplier_is_the_eigenvalue_of_the_map_at_its_fixed_point() -> None:
    """By central differences, in (log|x|/δ, y)."""
    columns, h = [], 1e-6
    for shift in ((h, 0.0), (0.0, h)):
        ends = []
        for sign in (1, -1):
            x, y = trajectory(DELTA * np.exp(sign * shift[0]), sign * shift[1], LR, ALPHA, BETA, 1)
            ends.append(np.array([np.log(np.abs(x[1]) / DELTA), y[1]]))
        columns.append((ends[0] - ends[1]) / (2 * h))
    eigenvalues = np.linalg.eigvals(np.stack(columns, axis=1))
    expected = multiplier(LR, ALPHA)
    np.testing.assert_allclose(sorted(eigenvalues, key=np.imag), [np.conj(expected), expected], rtol=1e-8)
    assert abs(expected) == pytest.approx((1 + 2 * LR**2 * ALPHA) ** 0.5)


def test_small_cycles_widen_as_the_multiplier_says() -> None:
    x, y = trajectory(DELTA * (1 + 1e-5), 0.0, LR, ALPHA, BETA, 600)
    radius = np.hypot(np.log(np.abs(x) / DELTA), y / np.sqrt(2 * ALPHA))
    np.testing.assert_allclose(radius[1:] / radius[:-1], abs(multiplier(LR, ALPHA)), rtol=2e-3)  # of a linear model


@given(st.floats(-4, 1), st.floats(-0.5, 0.5), st.floats(1e-4, 0.05))
def test_the_map_never_lowers_the_energy(log_size: float, growth: float, speed: float) -> None:
    """speed: η²α. As far as 1 + ηy > 0, where x changes its sign."""
    alpha = speed / LR**2
    delta = float(balance(alpha, BETA))
    x, y = trajectory(delta * np.exp(log_size), growth / LR, LR, alpha, BETA, 40)
    alternates = LR * y > -1
    values = energy(x, y, LR, alpha, BETA)[: len(y) if alternates.all() else int(alternates.argmin())]
    assert np.all(np.diff(values) >= -1e-12 * (1 + values[:-1]))
    assert np.all(values >= -1e-12)


def test_its_continuous_limit_keeps_the_energy_and_comes_as_far_as_it_says() -> None:
    def flow(t: float, z: np.ndarray) -> list[float]:
        return [np.log1p(LR * z[1]), LR * ALPHA * (1 - np.exp(2 * z[0]))]

    start = (np.log(0.1), 0.3)
    orbit = solve_ivp(flow, (0, 150), start, rtol=1e-11, atol=1e-12, dense_output=True)
    size, y = orbit.sol(np.linspace(0, 150, 30001))
    values = energy(DELTA * np.exp(size), y, LR, ALPHA, BETA)
    np.testing.assert_allclose(values, values[0], rtol=1e-8)
    assert np.exp(size.max()) == pytest.approx(float(largest(values[0])), rel=1e-5)  # between two of the times


def test_the_largest_size_is_the_root() -> None:
    values = np.array([0.0, 1e-12, 1e-3, 1.0, 30.0, 1e4])
    r = largest(values)
    np.testing.assert_allclose((r**2 - 1) / 2 - np.log(r), values, rtol=1e-9, atol=1e-15)
    assert r[0] == 1
    assert np.isnan(largest(-1.0))
    assert energy(DELTA, 0.0, LR, ALPHA, BETA) == pytest.approx(0, abs=1e-15)
    assert np.isnan(energy(DELTA, -1.01 / LR, LR, ALPHA, BETA))


def test_in_its_own_units_only_one_number_is_left() -> None:
    """x/δ and ηy depend on η²α alone."""
    x, y = trajectory(0.1 * DELTA, 0.2, LR, ALPHA, BETA, 80)
    lr, beta = 0.01, 7.0
    alpha = ALPHA * (LR / lr) ** 2
    delta = balance(alpha, beta)
    other = trajectory(0.1 * delta, 0.2 * LR / lr, lr, alpha, beta, 80)
    np.testing.assert_allclose(other.x / delta, x / DELTA, rtol=1e-9)
    np.testing.assert_allclose(other.y * lr, y * LR, rtol=1e-9, atol=1e-12)


def test_paths_side_by_side_and_coefficients_of_each_step() -> None:
    x = np.array([0.01, 0.02, 0.03])
    alphas, lrs = np.linspace(0.01, 0.05, 30), np.linspace(0.4, 0.2, 30)
    many = trajectory(x, 0.1, lrs[:, None], alphas[:, None], np.array([50.0, 60.0, 70.0]), 30)
    assert many.x.shape == many.y.shape == (31, 3)
    for i, beta in enumerate((50.0, 60.0, 70.0)):
        alone = trajectory(x[i], 0.1, lrs, alphas, beta, 30)
        np.testing.assert_array_equal(many.x[:, i], alone.x)
        for k in range(30):
            one = trajectory(alone.x[k], alone.y[k], lrs[k], alphas[k], beta, 1)
            assert (one.x[1], one.y[1]) == (alone.x[k + 1], alone.y[k + 1])


def test_what_grows_out_of_all_bounds_says_so_quietly() -> None:
    assert not np.isfinite(trajectory(1.0, 5.0, LR, ALPHA, -BETA, 50).x[-1])


def test_at_its_reach_the_sharpness_falls_by_a_sixteenth_a_step() -> None:
    limit = reach(LR, BETA)
    fall = np.diff(trajectory(limit, 0.0, LR, 0.0, BETA, 1).y)[0]
    assert fall * LR / 2 == pytest.approx(-1 / 16)
    assert limit / DELTA == pytest.approx(1 / (LR * np.sqrt(8 * ALPHA)))
