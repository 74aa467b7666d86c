"""Weak order without Monte Carlo: catches an SDE that is not of order 1, and references that agree only by chance."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, t

from aeos.theory.sde import (
    euler_expectation,
    lattice_expectation,
    lattice_law,
    observed_order,
    sde_expectation,
    signsgd_coefficients,
    signsgd_moments,
    weak_errors,
)

LRS = [0.1, 0.05, 0.025, 0.0125, 0.00625]


def identity(x: np.ndarray) -> np.ndarray:
    return x


def square(x: np.ndarray) -> np.ndarray:
    return x**2


def phi(x: np.ndarray) -> np.ndarray:
    return np.stack([x**2, np.cos(2 * x), x**4], axis=-1)


def test_the_sheets_slopes() -> None:
    """x⁴ changes its sign; the sheet's 0.71 and 0.88 there are 0.705 and 0.874, to nine digits of the errors."""
    slopes = observed_order(weak_errors(phi, LRS), LRS).T
    assert [f"{x:.2f}" for x in slopes[0]] == ["0.84", "0.93", "0.97", "0.98"]
    assert [f"{x:.2f}" for x in slopes[1]] == ["0.98", "0.99", "1.00", "1.00"]
    assert [f"{x:.3f}" for x in slopes[2]] == ["0.693", "0.101", "0.705", "0.874"]
    cauchy = observed_order(weak_errors(square, LRS, nu=1), LRS)
    assert [f"{x:.2f}" for x in cauchy[:3]] == ["0.76", "0.89", "0.95"]


def test_euler_at_dt_lr_is_of_order_2_to_the_optimizer() -> None:
    slopes = observed_order(weak_errors(phi, LRS, substeps=1), LRS).T
    assert [f"{x:.2f}" for x in slopes[0]] == ["1.99", "1.99", "2.00", "2.00"]
    assert np.all(np.abs(slopes[:, -1] - 2) < 0.01)
    four = observed_order(weak_errors(square, LRS, substeps=4), LRS)
    assert abs(four[-1] - 1) < 0.03


def test_the_sheets_step_ratios() -> None:
    how: dict[str, Any] = {"grad": identity, "start": 1.0, "scale": 1.0, "lr": 0.05, "horizon": 1.0}
    exact = lattice_expectation(square, identity, 1.0, 1.0, 0.05, 20)
    sde = sde_expectation(square, **how)
    euler = [euler_expectation(square, substeps=n, **how) for n in (1, 4)]
    assert [f"{x:.6f}" for x in (exact, sde, *euler)] == ["0.248384", "0.253335", "0.248211", "0.252063"]
    percent = [100 * (exact / sde - 1), *(100 * (e / sde - 1) for e in euler)]
    assert [f"{x:.2f}" for x in percent] == ["-1.95", "-2.02", "-0.50"]


@pytest.mark.parametrize("nu", [math.inf, 1.0, 2.5])
def test_the_lattice_is_the_tree_of_all_signs(nu: float) -> None:
    start, scale, lr, steps = 0.3, 0.5, 0.2, 7
    up = norm.cdf if nu == math.inf else (lambda z: t.cdf(z, nu))
    total = np.zeros(3)
    for signs in itertools.product((-1, 1), repeat=steps):
        x, weight = start, 1.0
        for sign in signs:
            weight *= float(up(-sign * (x**3 - x) / scale))
            x += -lr * -sign
        total += weight * phi(np.array(x))
    exact = lattice_expectation(phi, lambda x: x**3 - x, start, scale, lr, steps, nu)
    np.testing.assert_allclose(exact, total, rtol=1e-12)


def test_laws_at_several_times_are_those_of_each() -> None:
    sites, laws = lattice_law(identity, 0.5, 0.1, 0.01, [0, 3, 50, 3])
    np.testing.assert_allclose(laws.sum(-1), 1, rtol=1e-13)
    assert laws.min() >= 0
    assert laws.shape == (4, len(sites)) == (4, 101)
    few, law = lattice_law(identity, 0.5, 0.1, 0.01, 3)
    inside = np.abs(sites - 0.5) < 0.035
    np.testing.assert_allclose(sites[inside], few, rtol=1e-13)
    np.testing.assert_allclose(laws[1][inside], law, rtol=1e-12)
    np.testing.assert_array_equal(laws[1], laws[3])
    assert laws[0] @ sites == 0.5


@pytest.mark.parametrize("nu", [math.inf, 1.0])
def test_euler_tends_to_the_backward_equation(nu: float) -> None:
    """Richardson's extrapolation of two small steps, φ = x², cos 2x, x⁴; tolerances set after."""
    how: dict[str, Any] = {"grad": identity, "start": 1.0, "scale": 1.0, "lr": 0.05, "horizon": 1.0, "nu": nu}
    coarse, fine = (np.asarray(euler_expectation(phi, substeps=n, **how)) for n in (40, 80))
    sde = np.asarray(sde_expectation(phi, **how))
    np.testing.assert_allclose(2 * fine - coarse, sde, rtol=0, atol=2e-6)
    assert np.all(np.abs(2 * fine - coarse - sde) < 0.01 * np.abs(fine - sde))


@pytest.mark.parametrize(("nu", "sde", "euler"), [(math.inf, 3e-8, 2e-8), (1.0, 5e-7, 2e-5)])
def test_the_nodes_and_the_width_are_enough(nu: float, sde: float, euler: float) -> None:
    """Set after; the largest, of Euler under Cauchy noise at lr = 0.1, is 1e-5 in E x⁴ and 2e-7 in E x²."""
    for lr in (0.1, 0.00625):
        args = (phi, identity, 1.0, 1.0, lr, 1.0, nu)
        finer = sde_expectation(*args, width=5.0, nodes=256)
        np.testing.assert_allclose(sde_expectation(*args), finer, rtol=0, atol=sde)
    args = (phi, identity, 1.0, 1.0, 0.1, 1.0, nu)
    np.testing.assert_allclose(euler_expectation(*args), euler_expectation(*args, nodes=256), rtol=0, atol=euler)


def test_one_step_of_euler_by_hand() -> None:
    """With a width: by default the fading noise has little room after so short a time, and costs 1e-7."""
    x, s, lr = 0.4, 0.5, 0.1
    b, v = signsgd_coefficients(x, s)
    mean, variance = x - lr * b, lr**2 * v
    moments = [mean**2 + variance, np.cos(2 * mean) * math.exp(-2 * variance), mean**4 + 6 * mean**2 * variance]
    moments[2] += 3 * variance**2
    np.testing.assert_allclose(euler_expectation(phi, identity, x, s, lr, lr, width=3.0), moments, rtol=1e-8)

    def twice(z: float) -> float:
        y = mean + math.sqrt(variance) * z
        b, v = signsgd_coefficients(y, s)
        return float(((y - lr * b) ** 2 + lr**2 * v) * norm.pdf(z))

    two = quad(twice, -9, 9, epsabs=1e-12)[0]
    assert euler_expectation(square, identity, x, s, lr, 2 * lr, width=3.0) == pytest.approx(two, rel=1e-8)


def test_under_much_noise_the_sde_has_the_linear_moments() -> None:
    second = sde_expectation(square, identity, 0.3, 50.0, 0.05, 4.0)
    assert second == pytest.approx(signsgd_moments(4.0, 0.3, 1.0, 50.0, 0.05)[1], rel=1e-5)


def test_a_minimum_elsewhere_needs_a_width() -> None:
    def away(x: np.ndarray) -> np.ndarray:
        return x - 5

    with pytest.raises(ValueError, match=r"width=2\.93: must be wide enough that the gradient points outwards"):
        sde_expectation(square, away, 1.0, 1.0, 0.05, 1.0)
    there = sde_expectation(lambda x: (x - 5) ** 2, away, 4.0, 1.0, 0.05, 1.0, width=10.0, nodes=256)
    assert there == pytest.approx(sde_expectation(square, identity, 1.0, 1.0, 0.05, 1.0), rel=1e-7)


def test_orders_and_what_is_refused() -> None:
    lrs = np.array([0.4, 0.2, 0.05])
    np.testing.assert_allclose(observed_order(-3 * lrs**1.5, lrs), 1.5)
    np.testing.assert_allclose(observed_order(np.stack([lrs, lrs**2], -1), lrs), [[1, 2], [1, 2]])
    with pytest.raises(ValueError, match=r"horizon=1\.0: must be a multiple of lr=0\.3"):
        weak_errors(square, [0.3])
    with pytest.raises(ValueError, match=r"scale=0\.0: must be > 0"):
        lattice_law(identity, 1.0, 0.0, 0.1, 3)
