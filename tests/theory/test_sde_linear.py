"""Adam(W) with P frozen: catches a wrong entry of the 2×2 system, and the SDE's three forms taken for one another."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov

from aeos.theory.sde import adam_covariance, adam_variance, observed_order, stationary_variance

FORMS = ("new", "lagged", "noisy")


def variance(lam: Any, s: Any, lr: Any, **how: Any) -> Any:
    return adam_variance(lam, s, lr, **how)


@pytest.mark.parametrize(
    ("beta1", "optimizer", "printed", "dropped", "noisy"),
    [
        (0.9, "1.0003", "0.802", "1.000", "0.991"),
        (0.99, "1.00003", "0.970", "1.000", "0.990"),
        (0.999, "1.0000", "0.988", "1.000", "0.990"),
    ],
)
def test_the_sheets_table_of_the_term(beta1: float, optimizer: str, printed: str, dropped: str, noisy: str) -> None:
    rows = {"optimizer": optimizer, "new": printed, "lagged": dropped, "noisy": noisy}
    for process, text in rows.items():
        ratio = variance(1, 0.1, 1e-3, beta1=beta1, process=process) / 5e-5
        assert f"{ratio:.{len(text.partition('.')[2])}f}" == text, process


@pytest.mark.parametrize(
    ("theta", "lam", "optimizer", "printed"),
    [
        (0, 1, "1.0003", "0.802"),
        (0, 2, "1.0005", "0.794"),
        (1, 1, "0.9914", "0.794"),
        (1, 2, "0.9916", "0.786"),
        (4, 1, "0.9656", "0.771"),
        (4, 2, "0.9659", "0.764"),
    ],
)
def test_the_sheets_columns_by_lyapunov(theta: float, lam: float, optimizer: str, printed: str) -> None:
    paper = stationary_variance("adam", lam, 0.1, 1e-3, weight_decay=theta)
    own, new = (
        variance(lam, 0.1, 1e-3, beta1=0.9, weight_decay=theta, process=p) / paper for p in ("optimizer", "new")
    )
    assert f"{own:.4f} {new:.3f}" == f"{optimizer} {printed}"


def test_the_momentum_correction_is_exact_for_the_lagged_sde() -> None:
    beta1, paper = np.array([0.9, 0.99, 0.995]), stationary_variance("adam", 1, 0.1, 1e-3, weight_decay=20)
    lagged = variance(1, 0.1, 1e-3, beta1=beta1, weight_decay=20, process="lagged")
    rho = (1 - beta1) / 1e-3
    np.testing.assert_allclose(lagged / paper, rho / (rho + 20), rtol=1e-9)
    own = variance(1, 0.1, 1e-3, beta1=beta1, weight_decay=20) / paper
    assert [f"{x:.4f}" for x in own] == ["0.8481", "0.3356", "0.2008"]


@pytest.mark.parametrize(
    ("process", "printed", "orders"),
    [
        ("new", ["0.795", "0.478", "0.266", "0.141"], (0.7, 0.92)),
        ("lagged", ["0.0526", "0.0112", "0.00264", "0.00064"], (2.0, 2.25)),
        ("noisy", ["0.224", "0.145", "0.084", "0.046"], (0.6, 0.9)),
    ],
)
def test_the_sheets_weak_order_through_the_variance(process: str, printed: list[str], orders: Any) -> None:
    """Errors in units of ηs/(2λ), ρ₁ = 10 fixed; orders: of the first and of the last pair, to 0.05."""
    lr = np.array([0.04, 0.02, 0.01, 0.005])
    how: dict[str, Any] = {"beta1": 1 - 10 * lr}
    errors = (variance(1, 0.1, lr, **how) - variance(1, 0.1, lr, process=process, **how)) / (lr * 0.05)
    assert [f"{abs(e):.{len(text) - 2}f}" for e, text in zip(errors, printed, strict=True)] == printed
    order = observed_order(errors, lr)
    assert sorted([order[0], order[-1]]) == pytest.approx(sorted(orders), abs=0.06)
    finest = lr / 64
    how = {"beta1": 1 - 10 * finest}
    errors = variance(1, 0.1, finest, **how) / variance(1, 0.1, finest, process=process, **how) - 1
    assert observed_order(errors, finest)[-1] == pytest.approx(2 if process == "lagged" else 1, abs=0.03)


CASES = [(1.0, 0.1, 1e-3, 0.9, 0.0), (2.0, 0.5, 0.02, 0.6, 3.0), (0.3, 1.0, 0.1, 0.0, 0.5)]


@pytest.mark.parametrize(("lam", "s", "lr", "beta1", "theta"), CASES)
def test_against_scipy_on_systems_written_out(lam: float, s: float, lr: float, beta1: float, theta: float) -> None:
    p, rho = 0.7 * s, (1 - beta1) / lr
    how: dict[str, Any] = {"beta1": beta1, "weight_decay": theta, "preconditioner": p}
    M = np.array([[0, 0], [(1 - beta1) * lam, beta1]])  # first m, then x from the new m
    F = np.array([[1 - lr * theta, 0], [0, 0]]) + np.array([[-lr / p], [1]]) @ M[1:]
    G = np.array([[-lr / p], [1]]) * (1 - beta1) * s
    close = {"rtol": 1e-9, "atol": 1e-14}
    np.testing.assert_allclose(adam_covariance(lam, s, lr, **how), solve_discrete_lyapunov(F, G @ G.T), **close)
    kappa = lr * rho
    drifts = {"lagged": [[-theta, -1 / p], [rho * lam, -rho]]}
    drifts["new"] = drifts["noisy"] = [[-theta - kappa * lam / p, -(1 - kappa) / p], [rho * lam, -rho]]
    for process in FORMS:
        A = np.array(drifts[process])
        B = math.sqrt(lr) * s * np.array([[-kappa / p if process == "noisy" else 0.0], [rho]])
        expected = solve_continuous_lyapunov(A, -B @ B.T)
        actual = adam_covariance(lam, s, lr, process=process, **how)
        np.testing.assert_allclose(actual, expected, **close)
        h = lr / 3
        expected = solve_discrete_lyapunov(np.eye(2) + h * A, h * B @ B.T)
        actual = adam_covariance(lam, s, lr, process=process, dt=h, **how)
        np.testing.assert_allclose(actual, expected, **close)


@pytest.mark.parametrize(("lam", "s", "lr", "beta1", "theta"), CASES)
def test_euler_at_dt_lr_with_the_noisy_term_is_the_optimizer(
    lam: float, s: float, lr: float, beta1: float, theta: float
) -> None:
    own = adam_covariance(lam, s, lr, beta1=beta1, weight_decay=theta)
    euler = adam_covariance(lam, s, lr, beta1=beta1, weight_decay=theta, process="noisy", dt=lr)
    np.testing.assert_allclose(euler, own, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize(("lam", "s", "lr", "beta1", "theta"), CASES[:2])
@pytest.mark.parametrize("process", FORMS)
def test_euler_tends_to_the_sde(process: str, lam: float, s: float, lr: float, beta1: float, theta: float) -> None:
    how: dict[str, Any] = {"beta1": beta1, "weight_decay": theta, "process": process}
    limit = variance(lam, s, lr, **how)
    coarse, fine = (variance(lam, s, lr, dt=lr * f, **how) - limit for f in (2e-3, 1e-3))
    assert coarse / fine == pytest.approx(2, abs=0.02)


def test_the_covariance_is_the_sum_of_the_responses_to_each_draw() -> None:
    lam, s, lr, beta1, theta = 2.0, 0.5, 0.02, 0.6, 3.0
    x, m, total = 0.0, 0.0, np.zeros((2, 2))
    for k in range(2000):
        m = beta1 * m + (1 - beta1) * (lam * x + (s if k == 0 else 0.0))
        x = (1 - lr * theta) * x - lr * m / s
        total += np.outer([x, m], [x, m])
    np.testing.assert_allclose(total, adam_covariance(lam, s, lr, beta1=beta1, weight_decay=theta), rtol=1e-9)


@pytest.mark.parametrize("kappa", [0.5, 2.0, 3.0])
def test_the_scaling_rule_leaves_the_lagged_sde_alone(kappa: float) -> None:
    def at(k: float) -> Any:
        beta1 = 1 - k**2 * 0.1
        return variance([1, 2], 0.1 / k, 1e-3 * k, beta1=beta1, weight_decay=4 * k, process="lagged")

    np.testing.assert_allclose(at(kappa), at(1), rtol=1e-12)


def test_it_broadcasts_and_is_infinite_where_nothing_is_stationary() -> None:
    covariance = adam_covariance([[1.0], [-1.0]], 0.1, np.array([1e-3, 1e-2, 100.0]), beta1=0.9)
    assert covariance.shape == (2, 3, 2, 2)
    assert np.isinf(covariance[1]).all()
    assert np.isinf(covariance[0, 2]).all()
    assert covariance[0, 1, 0, 0] == pytest.approx(variance(1, 0.1, 1e-2, beta1=0.9), rel=1e-12)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"process": "old"}, "process=old: must be one of optimizer, new, lagged, noisy"),
        ({"dt": 1e-3}, "dt=0.001: the optimizer's step is lr"),
        ({"beta1": 1.0}, "beta1=1.0: must be in [0, 1)"),
        ({"noise": 0.0}, "noise=0.0: must be > 0"),
        ({"preconditioner": -1.0}, "preconditioner=-1.0: must be > 0"),
    ],
)
def test_what_is_refused(how: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        adam_covariance(**({"curvature": 1.0, "noise": 0.1, "lr": 1e-3, "beta1": 0.9} | how))


def test_at_the_very_edge_there_is_no_stationary_law() -> None:
    """ηλ/P = 2 without momentum: x ← −x − ηsz/P, an eigenvalue of size 1 that rounding may put on either side."""
    assert adam_variance(1.0, 5e-4, 1e-3, beta1=0.0) == np.inf
    assert adam_variance(1.0, 5e-4, 0.999e-3, beta1=0.0) < np.inf
