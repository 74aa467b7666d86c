"""The scaling rule: catches a power of κ, a β below 0, and a rule that does not keep the level it promises to keep."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeos.theory.sde import not_rescaled_loss, rescale, stationary_loss, stationary_variance, validity

BASE: dict[str, Any] = {"lr": 1e-3, "batch_size": 32, "weight_decay": 1.0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def test_the_rule() -> None:
    scaled = rescale(2, **BASE, steps=1000, noise=0.1)
    assert scaled.pop("beta1") == pytest.approx(0.6, rel=1e-14)
    assert scaled.pop("beta2") == pytest.approx(0.996, rel=1e-14)
    plain = {"lr": 2e-3, "batch_size": 128, "weight_decay": 2.0, "eps": 5e-9, "steps": 250, "noise": 0.05}
    assert scaled == plain
    assert rescale(1, **BASE) == pytest.approx(BASE)
    assert list(rescale(2, **BASE)) == list(BASE)


def test_whole_numbers_stay_whole_where_they_can() -> None:
    scaled = rescale(math.sqrt(2), **BASE, steps=1000)
    assert (scaled["batch_size"], scaled["steps"]) == (64, 500)
    assert isinstance(scaled["batch_size"], int)
    assert isinstance(scaled["steps"], int)
    assert rescale(1.1, **BASE)["batch_size"] == pytest.approx(38.72)


@given(st.floats(0.1, 1.7), st.floats(0.1, 1.7))
def test_it_is_a_group(one: float, other: float) -> None:
    there = rescale(one, **rescale(other, **BASE, steps=1000, noise=0.1))
    assert there == pytest.approx(rescale(one * other, **BASE, steps=1000, noise=0.1), rel=1e-9)


def test_the_largest_kappa() -> None:
    largest = 1 / math.sqrt(0.1)
    assert rescale(math.sqrt(10), **BASE)["beta1"] == pytest.approx(0, abs=1e-12)
    assert rescale(largest, **BASE)["beta1"] >= 0
    says = "kappa=3.17: must be at most 3.16228, kappa² <= 1/(1 - beta), for beta1=0.9"
    with pytest.raises(ValueError, match=re.escape(says)):
        rescale(3.17, **BASE)
    with pytest.raises(ValueError, match=r"at most 2, .* for beta2=0\.75"):
        rescale(2.1, **(BASE | {"beta2": 0.75}))
    for kappa in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"kappa=.*: must be a finite number > 0"):
            rescale(kappa, **BASE)


@pytest.mark.parametrize("kappa", [0.5, 2.0, 3.0])
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_it_keeps_the_papers_variance_and_the_momentum_factor(kappa: float, optimizer: str) -> None:
    new = rescale(kappa, **BASE, noise=0.1)
    before = stationary_variance(optimizer, [1, 2], 0.1, 1e-3, weight_decay=1.0)
    after = stationary_variance(optimizer, [1, 2], new["noise"], new["lr"], weight_decay=new["weight_decay"])
    np.testing.assert_allclose(after, before, rtol=1e-12)
    flat = {"form": "corrected", "curvature": 0.0}  # without curvature only the momentum factor is left
    before = stationary_variance("adam", noise=0.1, lr=1e-3, weight_decay=1.0, beta1=0.9, **flat)
    how = {key: new[key] for key in ("noise", "lr", "weight_decay", "beta1")}
    assert stationary_variance("adam", **how, **flat) == pytest.approx(before, rel=1e-12)


def test_the_sheets_ratios() -> None:
    for theta, base, ratio in ((1, "4.654e-05", "1.036"), (4, "3.869e-05", "1.126"), (20, "2.083e-05", "1.400")):
        before = stationary_loss("adam", [1, 2], 0.1, 1e-3, weight_decay=theta)
        assert f"{before:.3e} {not_rescaled_loss(2, [1, 2], 0.1, 1e-3, theta) / before:.3f}" == f"{base} {ratio}"
    for theta, printed in ((4, "3.720e-05"), (20, "1.736e-05")):
        factor = 100 / (100 + theta)
        assert f"{factor * stationary_loss('adam', [1, 2], 0.1, 1e-3, weight_decay=theta):.3e}" == printed
    # The sheet's 1.53 has the momentum factor alone, 1.400·(200/220)/(100/120); gradients in V make it 1.51.
    assert f"{1.4 * (200 / 220) / (100 / 120):.2f}" == "1.53"
    how: dict[str, Any] = {"beta1": 0.9, "form": "corrected"}
    before = stationary_loss("adam", [1, 2], 0.1, 1e-3, weight_decay=20, **how)
    assert f"{not_rescaled_loss(2, [1, 2], 0.1, 1e-3, 20, **how) / before:.2f}" == "1.51"


def test_not_rescaling_costs_up_to_kappa() -> None:
    for theta, ratio in ((0, 1), (1e9, 3)):
        before = stationary_loss("adam", [1, 2], 0.1, 1e-3, weight_decay=theta)
        assert not_rescaled_loss(3, [1, 2], 0.1, 1e-3, theta) / before == pytest.approx(ratio, rel=1e-6)
    with pytest.raises(ValueError, match="kappa=4"):
        not_rescaled_loss(4, 1.0, 0.1, 1e-3, 1.0, beta1=0.9)


def test_validity() -> None:
    assert validity([1.0, 4.0, 0.0], [0.01, 0.01, 0.01]) == pytest.approx(100)
    assert validity([[0.0, 1.0], [0.0, 2.0]], [[0.0, 0.0], [1.0, 1.0]]) == 1.0
    assert validity([1.0], [0.0]) == math.inf
