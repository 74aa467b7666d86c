"""Stationary variances: catches a published limit passed off as the optimizer's own number, or the other way round."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aeos.theory.sde import (
    cauchy_scale,
    faithful_drift,
    fokker_planck_variance,
    initial_slope,
    lattice_law,
    lattice_variance,
    stationary_density,
    stationary_loss,
    stationary_variance,
)

FIGURE: dict[str, Any] = {"noise": 0.1, "lr": 1e-3}
ADAM: dict[str, Any] = FIGURE | {"beta1": 0.9}


def variance(*args: Any, **how: Any) -> Any:
    return stationary_variance(*args, **how)


@pytest.mark.parametrize(
    ("lam", "exact", "density", "closed", "ratio"),
    [
        (1, "6.28623e-05", "6.26114e-05", "6.24167e-05", "1.0071"),
        (2, "3.15296e-05", "3.12780e-05", "3.10848e-05", "1.0143"),
    ],
)
def test_signsgd_by_the_lattice_the_density_and_the_closed_form(
    lam: float, exact: str, density: str, closed: str, ratio: str
) -> None:
    """The sheet's density column, 6.25925e-5 and 3.12686e-5, is 3e-4 lower than what SciPy's quad gives as well."""
    corrected, paper = (variance("signsgd", lam, form=form, **FIGURE) for form in ("corrected", "paper"))
    assert f"{corrected:.5e} {paper:.5e} {corrected / paper:.4f}" == f"{exact} {closed} {ratio}"
    assert f"{fokker_planck_variance(lam, 0.1, 1e-3):.5e}" == density


@pytest.mark.parametrize(("nu", "ratio"), [(1, "1.0078"), (2, "1.0053"), (3, "1.0045"), (5, "1.0040")])
def test_signsgd_under_heavy_tails(nu: float, ratio: str) -> None:
    level = 1e-3 / 2 * 0.1 / initial_slope(nu)
    assert f"{variance('signsgd', 1, form='corrected', nu=nu, **FIGURE) / level:.4f}" == ratio


@pytest.mark.parametrize(("nu", "lr"), [(math.inf, 0.1), (1, 0.1), (2.5, 0.3), (math.inf, 3.0)])
def test_the_lattices_sum_is_where_the_walk_ends(nu: float, lr: float) -> None:
    """Its law after many steps, averaged over an even and an odd number of them, from off the minimum."""
    sites, laws = lattice_law(lambda x: 0.8 * x, 2 * lr, 0.5, lr, [400, 401], nu)
    assert laws.mean(0) @ sites**2 == pytest.approx(lattice_variance(0.8, 0.5, lr, nu), rel=1e-9)


def test_other_lattices_have_the_same_variance() -> None:
    sites, laws = lattice_law(lambda x: x, 0.0003, 0.1, 1e-3, [3000, 3001])
    assert laws.mean(0) @ sites**2 == pytest.approx(lattice_variance(1, 0.1, 1e-3), rel=1e-8)
    assert f"{lattice_variance(1e-5, 0.1, 1e-3) / (5e-4 * 0.1 / 1e-5 / initial_slope()):.6f}" == "1.000000"
    assert lattice_variance(1e3, 1.0, 1.0) == pytest.approx(0.5, rel=1e-12)  # 0, then ±η, then 0 again


@pytest.mark.parametrize(("lam", "nu"), [(1.0, math.inf), (60.0, math.inf), (1.0, 1.0), (20.0, 2.0)])
def test_the_density_balances_drift_against_noise(lam: float, nu: float) -> None:
    """E[2X b(X)] = η E[1 − b²], by another formula for b than the density's."""
    x, p = stationary_density(lam, 0.1, 1e-3, nu)
    b = 2 * (stats.norm.cdf(lam * x / 0.1) if nu == math.inf else stats.t.cdf(lam * x / 0.1, nu)) - 1
    assert np.trapezoid(2 * x * b * p, x) == pytest.approx(1e-3 * np.trapezoid((1 - b**2) * p, x), rel=1e-6)
    assert np.trapezoid(x * p, x) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("theta", "lam", "paper", "ratio"),
    [
        (0, 1, "5.0000e-05", "0.9975"),
        (0, 2, "2.5000e-05", "0.9951"),
        (1, 1, "4.5455e-05", "0.9877"),
        (1, 2, "2.3810e-05", "0.9853"),
        (4, 1, "3.5714e-05", "0.9594"),
        (4, 2, "2.0833e-05", "0.9571"),
    ],
)
def test_the_sheets_table_of_adam(theta: float, lam: float, paper: str, ratio: str) -> None:
    published, corrected = (variance("adamw", lam, weight_decay=theta, form=f, **ADAM) for f in ("paper", "corrected"))
    assert f"{published:.4e} {corrected / published:.4f}" == f"{paper} {ratio}"
    assert variance("rmsprop", lam, weight_decay=theta, **FIGURE) == published
    factor = 100 / (100 + theta)
    assert variance("rmspropw", lam, weight_decay=theta, form="corrected", **FIGURE) == pytest.approx(
        corrected / factor,
        rel=2e-4,  # the rest of the factor acts through V
    )


def test_the_sheets_losses_and_gradients_in_v() -> None:
    losses = stationary_loss("adam", [[1, 2]], 0.1, 1e-3, weight_decay=np.array([[0], [1], [4]]))
    assert [f"{x:.2e}" for x in losses] == ["5.00e-05", "4.65e-05", "3.87e-05"]
    for lam, percent in ((1, "-0.25"), (2, "-0.49")):
        ratio = variance("rmsprop", lam, form="corrected", **FIGURE) / variance("rmsprop", lam, **FIGURE)
        assert f"{100 * (ratio - 1):.2f}" == percent
    tiny = variance("rmsprop", 1, 0.1, 1e-7, form="corrected") / variance("rmsprop", 1, 0.1, 1e-7)
    assert (tiny - 1) / -(1e-7 / 0.4) == pytest.approx(1, rel=1e-4)


@given(
    st.floats(-3, 3).map(np.exp),
    st.floats(-4, 2).map(np.exp),
    st.floats(-9, 0).map(np.exp),
    st.floats(0, 30),
    st.floats(0, 0.99),
)
def test_corrected_adam_solves_what_it_says(lam: float, s: float, lr: float, theta: float, beta1: float) -> None:
    v = variance("adam", lam, s, lr, weight_decay=theta, beta1=beta1, form="corrected")
    p = math.hypot(s, lam * math.sqrt(v))
    rho = (1 - beta1) / lr
    assert v == pytest.approx(rho / (rho + theta) * lr / 2 * s**2 / (lam * p + theta * p**2), rel=1e-12)


def test_gd_is_exact_and_what_the_faithful_drift_predicts() -> None:
    """x ← (1 − ηh)x − ηsZ: Var = (1 − ηh)²Var + η²s²; and s²η/(2·rate) for the SDE's."""
    lam, s, lr = np.array([0.1, 1.0, 19.0]), 0.3, 0.1
    corrected = variance("gd", lam, s, lr, form="corrected")
    np.testing.assert_allclose(corrected, (1 - lr * lam) ** 2 * corrected + lr**2 * s**2, rtol=1e-13)
    rate = -faithful_drift(lam, lam**2, lr)  # at x = 1
    np.testing.assert_allclose(corrected, lr * s**2 / (2 * rate), rtol=1e-13)
    assert variance("gd", 1.0, s, lr) == lr * s**2 / 2
    assert variance("gd", [20.0, 25.0, -1.0], s, lr, form="corrected").tolist() == [math.inf] * 3
    assert variance("gd", 1.0, s, lr, weight_decay=2.0) == variance("gd", 3.0, s, lr, decoupled=False)


def test_heavy_tails_of_gd() -> None:
    how: dict[str, Any] = {"noise": 0.1, "lr": 0.01, "form": "corrected"}
    assert [f"{variance('gd', 1, nu=nu, **how):.3e}" for nu in (5, 3)] == ["8.375e-05", "1.508e-04"]
    assert variance("gd", 1, nu=2, **how) == variance("gd", 1, nu=1, **how) == math.inf
    lr = np.array([1e-4, 0.01, 0.5, 1.0])
    np.testing.assert_allclose(cauchy_scale(1.0, 0.1, lr), 0.1, rtol=1e-15)
    kept = 1 - 1.5  # at ηλ = 1.5 the scale adds up: |1 − ηλ|·scale + ηs
    wide = cauchy_scale(1.0, 0.1, 1.5)
    assert wide == pytest.approx(abs(kept) * wide + 0.15, rel=1e-14)
    assert cauchy_scale(1.0, 0.1, [2.0, 3.0]).tolist() == [math.inf] * 2
    spread = math.sqrt(5 / 3)
    assert variance("adam", 1, 0.1, 1e-3, nu=5) == pytest.approx(variance("adam", 1, 0.1 * spread, 1e-3), rel=1e-14)


def test_decoupled_decay_saturates_and_l2_does_not() -> None:
    s = np.array([0.1, 1, 10, math.inf])
    decoupled = variance("adam", 1, s, 1e-3, weight_decay=4)
    np.testing.assert_allclose(decoupled, 5e-4 / (1 / s + 4), rtol=1e-14)
    assert decoupled[-1] == 1.25e-4
    inside = variance("adam", 1, s, 1e-3, weight_decay=4, decoupled=False)
    np.testing.assert_allclose(inside, 5e-4 * s / 5, rtol=1e-14)
    limit = variance("adam", 1, math.inf, 1e-3, weight_decay=4, beta1=0.9, form="corrected")
    assert limit == pytest.approx(1.25e-4 * 100 / 104, rel=1e-14)
    for name in ("gd", "signsgd", "rmsprop"):
        for form in ("paper", "corrected"):
            assert variance(name, 1, math.inf, 1e-3, form=form) == math.inf
    assert variance("signsgd", 1, math.inf, 1e-3, weight_decay=4) == 1.25e-4
    # Optimizers by Monte Carlo, from the sheet, at s = 0.1, 1, 10; 1 % standard error and O(ηλ/s) at 10: set after.
    corrected = variance("adam", 1, s[:3], 1e-3, weight_decay=4, beta1=0.9, form="corrected")
    np.testing.assert_allclose(corrected, [3.42e-5, 9.14e-5, 1.20e-4], rtol=0.06)


def test_decay_inside_the_gradient_is_curvature() -> None:
    for name in ("gd", "signsgd", "rmsprop", "adam"):
        for form in ("paper", "corrected"):
            inside = variance(name, 1.0, weight_decay=0.5, decoupled=False, form=form, **FIGURE)
            assert inside == variance(name, 1.5, form=form, **FIGURE)
    assert stationary_loss("gd", [1.0, 3.0], 0.1, 1e-3) == pytest.approx(1e-3 / 4 * 0.01 * 2, rel=1e-14)


def test_no_stationary_law_is_infinite() -> None:
    for name in ("gd", "signsgd", "rmsprop", "adam"):
        for form in ("paper", "corrected"):
            assert np.all(np.isinf(variance(name, [0.0, -1.0], form=form, **FIGURE)))
    assert variance("adam", 0.0, weight_decay=4, **FIGURE) == 1.25e-4


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"optimizer": "sgd"}, "optimizer=sgd: must be one of gd, signsgd, rmsprop, adam"),
        ({"noise": 0.0}, "noise=0.0: must be > 0"),
        ({"lr": -1.0}, "lr=-1.0: must be > 0"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0: must be >= 0"),
        ({"beta1": 1.0}, "beta1=1.0: must be in [0, 1)"),
        ({"optimizer": "rmsprop", "beta1": 0.9}, "beta1=0.9: must be 0 for rmsprop, which has no momentum"),
        ({"nu": 2}, "nu=2: must be > 2 for adam, whose V has no mean otherwise"),
        ({"optimizer": "gd", "nu": 0}, "nu=0: must be > 0"),
        ({"form": "published"}, "form=published: must be one of paper, corrected"),
        ({"optimizer": "signsgd", "weight_decay": 1.0, "form": "corrected"}, "form=corrected: signsgd with decoupled"),
    ],
)
def test_what_is_refused(how: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        stationary_variance(**({"optimizer": "adam", "curvature": 1.0} | FIGURE | how))
