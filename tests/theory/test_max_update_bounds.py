"""The formulas of the bounds: catches lost digits, overflow, a jump where there is none, a form taken for another."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from aeos.theory.stability import (
    attaining_gradients,
    discrete_stability_coefficient,
    growth_rate,
    is_stable,
    largest_bound,
    log_max_update_bound,
    max_update_bound,
    parameter_bound,
    stability_coefficient,
)

FORMS = ("continuous", "unsimplified", "discrete")
DEFAULT = (0.999, 0.9)
PLANE = [DEFAULT, (0.9, 0.9), (0.9, 0.99), (0.3, 0.6), (0.25, 0.5), (0.96188, 0.98066), (0.999, 0.0), (0.01, 0.999)]
GRID = (np.arange(60) + 0.5) / 60
BETA, GAMMA = GRID[:, None], GRID


@pytest.fixture(autouse=True)
def _nothing_warns() -> Iterator[None]:
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_the_sheets_numbers() -> None:
    assert f"{largest_bound(*DEFAULT, 'discrete'):.4f} {largest_bound(*DEFAULT):.4f}" == "7.2703 7.4667"
    assert f"{largest_bound(*DEFAULT) / largest_bound(*DEFAULT, 'discrete'):.5f}" == "1.02701"

    def ratio(form: str, n: int, beta: float, gamma: float) -> str:
        return f"{max_update_bound(n, beta, gamma, form) / max_update_bound(n, beta, gamma, 'discrete'):.2f}"

    assert ratio("continuous", 1, 0.31, 0.999) == "0.55"
    assert ratio("continuous", 10, 0.77, 0.999) == "0.96"
    assert ratio("unsimplified", 1, *DEFAULT) == "0.78"


def decimal_bound(form: str, n: int, beta: float, gamma: float) -> float:
    """The log of the formula as it is printed, in 400 digits."""
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 400, -(10**17), 10**17
        b, g, one = Decimal(beta), Decimal(gamma), Decimal(1)
        corrected = (1 - b ** (n + 1)).sqrt() / (1 - g ** (n + 1))
        if form == "discrete":
            q = g * g / b
            total = Decimal(n + 1) if q == 1 else (1 - q ** (n + 1)) / (1 - q)
            return float((corrected * (1 - g) * (total / (1 - b)).sqrt()).ln())
        c = 2 * (1 - g) / g - (1 - b) / b
        if form == "continuous":
            factor = (one / c).sqrt() if c > 0 else (n * -c / 2).exp() / (-c).sqrt() if c else Decimal(n).sqrt()
        else:
            factor = ((1 - (-c * n).exp()) / c).sqrt() if c else Decimal(n).sqrt()
        return float((corrected * (1 - g) / g * (b / (1 - b)).sqrt() * factor).ln())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("beta", "gamma"), [*PLANE[:6], (1e-300, 0.9), (1e-9, 0.999), (1 - 1e-9, 1 - 1e-12), (1 - 1e-12, 1e-12)]
)
def test_digits_far_out(form: str, beta: float, gamma: float) -> None:
    """n up to 10⁶, γ close to 1 and 0, γ² = β and beside it, and β as small as the decimals' own exponents allow."""
    for n in (1, 2, 50, 1000, 10**6) if beta > 1e-20 or form == "discrete" else ():
        assert log_max_update_bound(n, beta, gamma, form) == pytest.approx(
            decimal_bound(form, n, beta, gamma), rel=1e-12, abs=1e-9
        )


@pytest.mark.parametrize(("beta", "gamma"), PLANE)
def test_cauchy_schwarz_summed_term_by_term(beta: float, gamma: float) -> None:
    """max over g of (w·g)²/(g·Dg) is Σ wₖ²/dₖ, with the averages' weights as they are after n steps."""
    for n in (0, 1, 2, 7, 60):
        age = np.arange(n + 1)
        w, d = (1 - gamma) * gamma**age, (1 - beta) * beta**age
        plain = np.sqrt(np.sum(w**2 / d))
        corrected = plain / np.sum(w) * np.sqrt(np.sum(d))
        assert max_update_bound(n, beta, gamma, "discrete") == pytest.approx(corrected, rel=1e-12)
        assert max_update_bound(n, beta, gamma, "discrete", bias_correction=False) == pytest.approx(plain, rel=1e-12)


def averages(g: Callable[[float], float], n: float, beta: float, gamma: float) -> float:
    """|u| of the differential equations: their kernels integrated by SciPy."""
    a, b = (1 - gamma) / gamma, (1 - beta) / beta
    m = quad(lambda s: a * np.exp(-a * (n - s)) * g(s), 0, n, epsabs=0, epsrel=1e-11, limit=400)[0]
    v = quad(lambda s: b * np.exp(-b * (n - s)) * g(s) ** 2, 0, n, epsabs=0, epsrel=1e-11, limit=400)[0]
    return np.sqrt(1 - beta ** (n + 1)) / (1 - gamma ** (n + 1)) * abs(m) / np.sqrt(v)


@pytest.mark.parametrize(("beta", "gamma"), [DEFAULT, (0.9, 0.99), (0.9, 0.9), (1 / 3, 0.5), (0.6, 0.9)])
def test_the_unsimplified_form_is_the_differential_equations_own(beta: float, gamma: float) -> None:
    rate = (1 - gamma) / gamma - (1 - beta) / beta
    for n in (1, 3, 20):
        bound = max_update_bound(n, beta, gamma, "unsimplified")
        assert averages(lambda s: np.exp(rate * s), n, beta, gamma) == pytest.approx(bound, rel=1e-9)
        for g in (np.cos, np.exp, lambda s: 1.0, lambda s: np.exp(-s), lambda s: s**2 - 1):
            assert averages(g, n, beta, gamma) < bound * (1 + 1e-9)
        assert bound <= max_update_bound(n, beta, gamma) * (1 + 1e-12)


def test_published_form_is_above_the_exact_one_where_c_is_positive() -> None:
    stable = stability_coefficient(BETA, GAMMA) > 1e-12
    for n in (0, 1, 2, 5, 30, 100, 10_000):
        gap = log_max_update_bound(n, BETA, GAMMA) - log_max_update_bound(n, BETA, GAMMA, "discrete")
        assert gap[stable].min() > -1e-9
        if n >= 30:
            assert gap.min() > -1e-9
        if n == 1:
            assert gap[~stable].min() < np.log(0.6)
    limit = (BETA - GAMMA**2) / (GAMMA**2 * stability_coefficient(BETA, GAMMA))
    np.testing.assert_allclose(np.exp(2 * gap[stable]), limit[stable], rtol=1e-9)
    assert limit[stable].min() >= 1 - 1e-12


def test_continuous_across_the_thresholds() -> None:
    beta, n = np.array([0.3, 0.81, 0.99, 0.9999])[:, None], np.array([0, 1, 10, 1000])
    for form, at in (("discrete", np.sqrt(beta)), ("unsimplified", 2 * beta / (1 + beta))):
        below, above = (log_max_update_bound(n, beta, at * (1 + e), form) for e in (-1e-12, 1e-12))
        middle = log_max_update_bound(n, beta, at, form)
        for side in (below, above):
            np.testing.assert_allclose(side, middle, rtol=0, atol=2e-8)  # e·n/(1 − γ), n = 1000
    exact = log_max_update_bound(n, beta, 2 * beta / (1 + beta), "unsimplified")
    np.testing.assert_allclose(log_max_update_bound(n, beta, 2 * beta / (1 + beta)), exact, atol=1e-9)
    assert max_update_bound(0, 1 / 3, 0.5) == 0


@given(st.floats(1e-6, 1 - 1e-6), st.floats(1e-6, 1 - 1e-6), st.integers(0, 10**6))
def test_no_smaller_than_a_constant_gradients_and_no_larger_than_the_largest(b: float, g: float, n: int) -> None:
    bound = log_max_update_bound(n, b, g, "discrete")
    assert bound >= -1e-9
    for form in ("continuous", "discrete"):
        assert log_max_update_bound(n, b, g, form) <= np.log(largest_bound(b, g, form)) + 1e-9
    assert log_max_update_bound(n, b, b, "discrete") == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("form", ["continuous", "discrete"])
def test_its_slope_and_its_largest_value(form: str) -> None:
    clear = np.abs(discrete_stability_coefficient(BETA, GAMMA)) > 1e-3
    clear &= np.abs(stability_coefficient(BETA, GAMMA)) > 1e-3
    bound = log_max_update_bound(np.array([0, 10**5, 2 * 10**5])[:, None, None], BETA, GAMMA, form)
    slope = (bound[2] - bound[1]) / 1e5
    np.testing.assert_allclose(slope[clear], growth_rate(BETA, GAMMA, form)[clear], atol=1e-9)
    top = np.maximum(bound[0], bound[1])
    stable = clear & is_stable(BETA, GAMMA, form)
    np.testing.assert_allclose(np.exp(top[stable]), largest_bound(BETA, GAMMA, form)[stable], rtol=1e-9)


def test_digits_of_the_largest_value_close_to_one() -> None:
    near = (1 - 1e-9, 1 - 1e-6)
    assert largest_bound(*near, "discrete") == pytest.approx(max_update_bound(1e12, *near, "discrete"), rel=1e-12)


def test_rmsprop_and_overflow() -> None:
    n = np.array([0, 1, 9])
    np.testing.assert_allclose(max_update_bound(n, 0.9, 0, "discrete"), np.sqrt((1 - 0.9 ** (n + 1)) / 0.1), rtol=1e-14)
    assert largest_bound(0.75, 0, "discrete") == 2
    assert largest_bound(0.75, 0) == np.inf
    assert log_max_update_bound(0, 0.75, 0, "unsimplified") == -np.inf
    for form in ("continuous", "unsimplified"):
        assert max_update_bound(5, 0.75, 0, form) == max_update_bound(10**6, 0.9, 0.99, form) == np.inf
        assert log_max_update_bound(10**6, 0.9, 0.99, form) == pytest.approx(45452.2479)
        assert log_max_update_bound(10**6, 1e-300, 0.99, form) == pytest.approx(5e305)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: max_update_bound(-1, 0.9, 0.9), "n=-1.0: must be a finite number >= 0"),
        (lambda: max_update_bound(1, 1.0, 0.9), "beta=1.0: must be in (0, 1)"),
        (lambda: largest_bound(0.9, [0.5, 1.0]), "gamma=1.0: must be in [0, 1)"),
        (lambda: max_update_bound(1, 0.9, 0.9, "exact"), "form=exact: must be one of continuous, unsimplified, "),
        (lambda: largest_bound(0.9, 0.9, "unsimplified"), "form=unsimplified: must be one of continuous, discrete"),
        (lambda: attaining_gradients(1, 0.9, 0.0), "gamma=0.0: must be in (0, 1)"),
        (lambda: parameter_bound(1, 0, 2.0, 0.5, 1), "lr*weight_decay=1.0: must be in [0, 1)"),
    ],
)
def test_what_has_no_answer_is_refused_in_one_line(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(says) + ".*$"):
        call()
