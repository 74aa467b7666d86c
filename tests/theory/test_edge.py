"""Stability thresholds: the published numbers, the sheet's characteristic polynomials, limits and symmetries."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from aeos.optimizers.build import RULES
from aeos.paths import conf_dir
from aeos.theory.edge import RATE, ROUGH, stability_threshold

BETAS = np.array([0.0, 0.1, 0.5, 0.8, 0.9, 0.99])
WITH_MOMENTUM = {name: rate for name, rate in RATE.items() if rate}
ADAMS = ("adam", "adamw", "amsgrad", "padam")


def test_every_optimizer_one_can_choose_has_a_threshold_or_a_reason() -> None:
    choices = {file.stem for file in conf_dir().glob("optimizer/*.yaml")}
    assert {*RATE, *ROUGH} == choices - {"adam_eps0"}  # a setting of Adam, of no consequence here
    assert {*RULES} <= {*RATE, *ROUGH}
    assert not {*RATE} & {*ROUGH}


@pytest.mark.parametrize(
    ("optimizer", "settings", "printed"),
    [
        ("gd", {}, "2.0"),
        ("rmsprop", {}, "2.0"),
        ("scalar_rmsprop", {}, "2.0"),
        ("adagrad", {}, "2.0"),
        ("heavy_ball", {"momentum": 0.9}, "3.8"),
        ("nesterov", {"momentum": 0.9}, "1.357"),
        ("ema", {"beta1": 0.9}, "38.0"),
        ("adam", {"beta1": 0.9}, "38.0"),
        ("amsgrad", {"beta1": 0.9}, "38.0"),
        ("padam", {"beta1": 0.9}, "38.0"),
        ("nadam", {"beta1": 0.9}, "13.57"),
        ("adam", {"beta1": 0.9, "step": 1}, "3.8"),
        ("adam", {"beta1": 0.9, "step": 10}, "24.75"),
        ("adam", {"beta1": 0.9, "step": 20}, "33.4"),
        ("adam", {"beta1": 0.9, "step": 50}, "37.8"),
        ("adam", {"beta1": 0.9, "step": 1, "bias_correction": False}, "38.0"),
        ("gd", {"weight_decay": 0.1}, "1.9"),
        ("rmspropw", {"weight_decay": 0.1}, "1.9"),
        ("adamw", {"beta1": 0.9, "weight_decay": 0.1}, "36.1"),
    ],
)
def test_published_numbers_at_lr_1(optimizer: str, settings: dict[str, Any], printed: str) -> None:
    digits = len(printed.partition(".")[2])
    assert f"{stability_threshold(optimizer, 1.0, **settings):.{digits}f}" == printed


def polynomial(optimizer: str, b: float, a: float, x: float) -> list[float]:
    """The sheet's characteristic polynomials at x = ηs; with decoupled decay a = ηλ where it gives one."""
    return {
        "gd": [1, -(1 - a - x)],
        "heavy_ball": [1, -(1 + b - x), b],
        "ema": [1, -(1 + b - (1 - b) * x), b],
        "nesterov": [1, -(1 + b) * (1 - x), b * (1 - x)],
        "nadam": [1, -(1 + b - (1 - b * b) * x), b * (1 - (1 - b) * x)],
        "adamw": [1, -(1 - a + b - (1 - b) * x), b * (1 - a)],
    }[optimizer]


@pytest.mark.parametrize("lr", [1e-3, 0.4, 3.0])
@pytest.mark.parametrize("b", BETAS)
@pytest.mark.parametrize(
    ("optimizer", "a"),
    [
        ("gd", 0),
        ("gd", 0.5),
        ("heavy_ball", 0),
        ("ema", 0),
        ("nesterov", 0),
        ("nadam", 0),
        ("adamw", 0.5),
        ("adamw", 1.7),
    ],
)
def test_the_first_root_leaves_at_minus_one(optimizer: str, a: float, b: float, lr: float) -> None:
    settings = {RATE[optimizer]: b} if RATE[optimizer] else {}
    x = lr * stability_threshold(optimizer, lr, weight_decay=a / lr, **settings)
    at_edge = np.roots(polynomial(optimizer, b, a, x))
    assert np.abs(at_edge + 1).min() < 1e-9
    assert np.abs(at_edge).max() < 1 + 1e-9
    for below in np.linspace(0.01, 0.99, 20):
        assert np.abs(np.roots(polynomial(optimizer, b, a, below * x))).max() < 1
    assert np.abs(np.roots(polynomial(optimizer, b, a, 1.01 * x))).max() > 1


def test_an_average_is_heavy_ball_at_a_larger_rate() -> None:
    """EMA(η) = HB(η(1 − β)), with λ scaled so that the decay of a step is the same."""
    lr, decay = 4.0, 0.05
    average = stability_threshold("ema", lr, beta1=BETAS, weight_decay=decay)
    polyak = stability_threshold("heavy_ball", lr * (1 - BETAS), momentum=BETAS, weight_decay=decay / (1 - BETAS))
    np.testing.assert_allclose(average, polyak, rtol=1e-14)


@pytest.mark.parametrize("optimizer", WITH_MOMENTUM)
def test_without_momentum_all_are_gradient_descent(optimizer: str) -> None:
    for step in (None, 1, 7):
        bare = stability_threshold(optimizer, 0.3, weight_decay=0.2, step=step)
        assert bare == pytest.approx(stability_threshold("gd", 0.3, weight_decay=0.2), rel=1e-15)


@pytest.mark.parametrize("optimizer", WITH_MOMENTUM)
def test_momentum_steadies_but_nesterovs_unsteadies(optimizer: str) -> None:
    thresholds = stability_threshold(optimizer, 1.0, **{WITH_MOMENTUM[optimizer]: BETAS})
    assert (np.diff(thresholds) * (-1 if optimizer == "nesterov" else 1) > 0).all()


@pytest.mark.parametrize("optimizer", RATE)
def test_it_falls_with_lr_and_decay_and_scales_as_one_over_lr(optimizer: str) -> None:
    settings: dict[str, Any] = {RATE[optimizer]: 0.7} if RATE[optimizer] else {}
    lr = np.geomspace(1e-4, 1, 9)
    np.testing.assert_allclose(
        lr * stability_threshold(optimizer, lr, weight_decay=0.3 / lr, **settings),
        stability_threshold(optimizer, 1.0, weight_decay=0.3, **settings),
        rtol=1e-14,
    )
    assert (np.diff(stability_threshold(optimizer, lr, **settings)) < 0).all()
    assert (np.diff(stability_threshold(optimizer, 0.1, weight_decay=np.linspace(0, 9, 5), **settings)) < 0).all()


@pytest.mark.parametrize("optimizer", [*ADAMS, "nadam"])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_bias_correction_fades(optimizer: str, decay: float) -> None:
    """The first steps are the largest; long after, the number is the limit's."""
    steps = np.arange(1, 2000)
    finite = stability_threshold(optimizer, 1e-3, beta1=0.9, step=steps, momentum_decay=decay)
    limit = stability_threshold(optimizer, 1e-3, beta1=0.9)
    assert (np.diff(finite[:100]) > 0).all()
    assert (finite[:100] < limit).all()
    assert finite[-1] == pytest.approx(limit, rel=0.2 if optimizer == "nadam" and decay else 1e-14)


def test_nadam_by_its_schedule_written_out() -> None:
    b, psi = 0.8, 0.3
    mu = [b * (1 - 0.5 * 0.96 ** (i * psi)) for i in range(1, 9)]
    average = (1 - b) / (1 + b)
    for t in range(1, 8):
        past, present = mu[t] / (1 - np.prod(mu[: t + 1])), (1 - mu[t - 1]) / (1 - np.prod(mu[:t]))
        corrected = stability_threshold("nadam", 0.5, beta1=b, step=t, momentum_decay=psi)
        assert corrected == pytest.approx(4 / (past * average + present), rel=1e-14)
        plain = stability_threshold("nadam", 0.5, beta1=b, step=t, momentum_decay=psi, bias_correction=False)
        assert plain == pytest.approx(4 / (mu[t] * average + 1 - mu[t - 1]), rel=1e-14)


def test_torchs_nadam_is_far_from_its_limit_for_long() -> None:
    """Within 2 % after 3·10⁴ steps, as the docstring says, and at less than half of it after 10³."""
    at = stability_threshold("nadam", 1e-3, beta1=0.9, step=[1000, 30000], momentum_decay=4e-3) / 13571.43
    assert at[0] < 0.5
    assert 0.97 < at[1] < 1


@pytest.mark.parametrize("optimizer", ["adam", "nadam"])
def test_arguments_broadcast(optimizer: str) -> None:
    lr, beta1, step = np.array([0.1, 0.2])[:, None, None], BETAS[:, None], np.array([1, 5, 50])
    table = stability_threshold(optimizer, lr, beta1=beta1, step=step, weight_decay=0.5, momentum_decay=0.1)
    assert isinstance(table, np.ndarray)
    assert table.shape == (2, 6, 3)
    one = stability_threshold(optimizer, 0.2, beta1=0.5, step=50, weight_decay=0.5, momentum_decay=0.1)
    assert isinstance(one, float)
    assert table[1, 2, 2] == pytest.approx(one, rel=1e-15)


@pytest.mark.parametrize(
    ("optimizer", "settings", "says"),
    [
        ("adm", {}, "optimizer=adm: must be one of gd, heavy_ball, "),
        ("signsgd", {}, "optimizer=signsgd: the sign of a gradient is no smooth preconditioner"),
        ("kadam", {}, "optimizer=kadam: several normalizations"),
        ("gd", {"lr": 0.0}, "lr=0.0: must be a finite number > 0"),
        ("gd", {"lr": np.nan}, "lr=nan: must be a finite number > 0"),
        ("gd", {"weight_decay": -0.1}, "weight_decay=-0.1: must be a finite number >= 0"),
        ("adam", {"beta1": 1.0}, "beta1=1.0: must be in [0, 1)"),
        ("heavy_ball", {"momentum": -0.1}, "momentum=-0.1: must be in [0, 1)"),
        ("adam", {"step": 0}, "step=0: must be a whole number >= 1"),
        ("adam", {"step": 1.5}, "step=1.5: must be a whole number >= 1"),
        ("heavy_ball", {"beta1": 0.9}, "beta1=0.9: must be 0 for heavy_ball, which has momentum"),
        ("ema", {"momentum": 0.9}, "momentum=0.9: must be 0 for ema, which has beta1"),
        ("rmsprop", {"beta1": 0.9}, "beta1=0.9: must be 0 for rmsprop, which has no momentum"),
    ],
)
def test_what_has_no_answer_is_refused_in_one_line(optimizer: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(says) + ".*$"):
        stability_threshold(optimizer, **{"lr": 0.1, **settings})
