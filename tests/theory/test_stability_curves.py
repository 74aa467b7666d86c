"""Points on curves in the (β, γ) plane: catches points off the curve, unevenly spaced, or missing the ends promised."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from aeos.theory.stability import (
    growth_rate,
    level_curve,
    level_curve_beta,
    normal_curve,
    normal_curve_invariant,
    stability_coefficient,
)

WHOLE = normal_curve(128)
SECTION = normal_curve(64, section=(-0.045, 0.045))


def arc(curve: np.ndarray) -> np.ndarray:
    """Arc lengths between neighbours on 2β³ + γ³ = k: SciPy's integral over γ, or over β where that is smoother."""
    k = normal_curve_invariant(*curve[0])

    def speed_in_gamma(gamma: float) -> float:
        beta = np.cbrt((k - gamma**3) / 2)
        return float(np.hypot(1, gamma**2 / (2 * beta**2)))

    def speed_in_beta(beta: float) -> float:
        gamma = np.cbrt(k - 2 * beta**3)
        return float(np.hypot(1, 2 * beta**2 / gamma**2))

    lengths = []
    for p, q in pairwise(curve):
        axis, speed = (1, speed_in_gamma) if min(p[0], q[0]) > 0.5 * k ** (1 / 3) else (0, speed_in_beta)
        lengths.append(abs(quad(speed, p[axis], q[axis], epsabs=1e-13, epsrel=1e-12)[0]))
    return np.array(lengths)


def test_the_sheets_numbers() -> None:
    k = normal_curve_invariant(0.999, 0.9)
    assert f"{k:.6f} {np.cbrt((k - 1) / 2):.6f} {np.cbrt(k - 2):.6f}" == "2.723006 0.951522 0.897527"
    lengths = arc(WHOLE)
    assert f"{lengths.mean() * 128:.6f}" == "0.110764"
    c = stability_coefficient(*WHOLE.T)
    assert int((c < 0).sum()) == 25
    zero = normal_curve(2, section=(0, 0.1))[0]
    assert zero.round(6).tolist() == [0.961920, 0.980591]
    exact = min(normal_curve(20001, section=(-0.001, 0.001)), key=lambda at: abs(at[0] - at[1] ** 2))
    assert exact.round(6).tolist() == [0.961844, 0.980737]
    assert np.hypot(*(exact - zero)) == pytest.approx(1.65e-4, abs=1e-6)  # the sheet rounds it to 1.7e-4
    assert f"{lengths.mean():.2e}" == "8.65e-04"


def test_the_two_exponents_are_a_few_percent_apart_on_it() -> None:
    unstable = WHOLE[stability_coefficient(*WHOLE.T) < -0.015]
    apart = growth_rate(*unstable.T) / growth_rate(*unstable.T, "discrete") - 1
    assert 0.02 < apart.min() < apart.max() < 0.05  # set after; 0.06 at C = −0.01


def test_the_whole_curve_ends_at_the_point_itself_and_leaves_out_the_edge() -> None:
    assert WHOLE.shape == (128, 2)
    assert WHOLE[-1].tolist() == [0.999, 0.9]
    edge = np.array([[np.cbrt((normal_curve_invariant(0.999, 0.9) - 1) / 2), 1.0]])
    np.testing.assert_allclose(arc(np.concatenate([edge, WHOLE])), 0.110764 / 128, rtol=1e-5)
    assert normal_curve(1).tolist() == [[0.999, 0.9]]


def test_the_section_has_its_ends() -> None:
    np.testing.assert_allclose(stability_coefficient(*SECTION[[0, -1]].T), [-0.045, 0.045], rtol=0, atol=1e-14)
    beyond = normal_curve(9, section=(0.2212, 0.228))
    assert beyond[0, 0] < 0.999 < beyond[-1, 0] < 1


@pytest.mark.parametrize("curve", [WHOLE, SECTION, normal_curve(50, 0.3, 0.8), normal_curve(40, 0.2, 0.4, (-8, 30))])
def test_on_the_curve_evenly_and_towards_larger_c(curve: np.ndarray) -> None:
    assert np.ptp(normal_curve_invariant(*curve.T)) < 1e-12
    lengths = arc(curve)
    np.testing.assert_allclose(lengths, lengths.mean(), rtol=1e-8)
    assert (np.diff(stability_coefficient(*curve.T)) > 0).all()
    assert ((curve > 0) & (curve < 1)).all()


def test_it_is_the_gradient_flow_of_c() -> None:
    """Twin: SciPy's solution of the flow, by differences of C itself; so the curve crosses levels at right angles."""
    h = 1e-6

    def slope(_: float, at: np.ndarray) -> np.ndarray:
        db = stability_coefficient(at[0] + h, at[1]) - stability_coefficient(at[0] - h, at[1])
        dg = stability_coefficient(at[0], at[1] + h) - stability_coefficient(at[0], at[1] - h)
        return np.array([db, dg]) / (2 * h) / np.hypot(db, dg) * 2 * h  # unit speed: time is arc length

    length = float(arc(SECTION).sum())
    flow = solve_ivp(slope, (0, length), SECTION[0], t_eval=np.linspace(0, length, 64), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(flow.y.T, SECTION, rtol=0, atol=1e-8)


@settings(max_examples=25)
@given(st.floats(0.05, 0.999), st.floats(0.05, 0.999), st.integers(9, 40))
def test_any_point_has_its_curve(beta: float, gamma: float, points: int) -> None:
    whole = normal_curve(points, beta, gamma)
    assert whole[-1].tolist() == [beta, gamma]
    assert ((whole > 0) & (whole < 1)).all()
    np.testing.assert_allclose(normal_curve_invariant(*whole.T), normal_curve_invariant(beta, gamma), rtol=1e-13)
    steps = np.hypot(*np.diff(whole, axis=0).T)
    assert steps.max() < 1.1 * steps.min()  # chords of equal arcs, shorter where the curve bends
    c = float(stability_coefficient(*whole[points // 2]))
    assert normal_curve(2, beta, gamma, (c, c + 0.01 * abs(c)))[0] == pytest.approx(whole[points // 2], abs=1e-9)


@pytest.mark.parametrize(
    ("c", "ends"), [(0.2, (0.3, 2 / 2.2)), (-0.5, (0.1, 1.0)), (-1.0, (0.1, 0.9)), (50.0, (0, 2 / 52))]
)
def test_levels(c: float, ends: tuple[float, float]) -> None:
    curve = level_curve(33, c, *ends)
    inner = curve[curve[:, 0] > 0.01]
    np.testing.assert_allclose(stability_coefficient(*inner.T), c, rtol=0, atol=1e-10)
    assert curve[[0, -1], 1] == pytest.approx(ends, rel=1e-15)

    def speed(gamma: float) -> float:
        return float(np.hypot(1, 2 * level_curve_beta(gamma, c) ** 2 / gamma**2)) if gamma else np.hypot(1, 0.5)

    lengths = [quad(speed, p, q, epsabs=1e-13, epsrel=1e-12)[0] for p, q in pairwise(curve[:, 1])]
    np.testing.assert_allclose(lengths, np.mean(lengths), rtol=1e-7)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: normal_curve(0), "points=0: must be a whole number >= 1"),
        (lambda: normal_curve(1, section=(0, 0.1)), "points=1: must be a whole number >= 2"),
        (lambda: normal_curve(2.5), "points=2.5: must be a whole number >= 1"),
        (lambda: normal_curve(5, 1.0, 0.9), "beta=1.0: must be in (0, 1)"),
        (lambda: normal_curve(5, 0.9, np.nan), "gamma=nan: must be in (0, 1)"),
        (
            lambda: normal_curve(5, section=(-0.2, 0.1)),
            "section=(-0.2, 0.1): must be (c_low, c_high) with c_low < c_high, both between -0.0509476 and 0.228346, ",
        ),
        (lambda: normal_curve(5, section=(0.1, 0.3)), "section=(0.1, 0.3): must be"),
        (lambda: normal_curve(5, section=(0.1, 0.1)), "section=(0.1, 0.1): must be"),
        (lambda: level_curve(1, 0, 0.1, 0.5), "points=1: must be a whole number >= 2"),
        (lambda: level_curve(5, 0, 0.5, 0.1), "gamma_low=0.5, gamma_high=0.1: must be"),
        (lambda: level_curve(5, 1, 0.1, 0.7), "gamma_high=0.7: must be <= 0.666667, where C = 1 leaves"),
        (lambda: level_curve(5, -1, 0.1, 1.01), "gamma_high=1.01: must be <= 1, where C = -1 leaves"),
    ],
)
def test_what_has_no_answer_is_refused_in_one_line(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(says) + ".*$"):
        call()
