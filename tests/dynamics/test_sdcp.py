"""Catches a wrong √2, a wrong face or an answer that only looks converged: the problem solved by other means."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from aeos.dynamics.flows.sdcp import sdcp, smat, svec


def basis(K: int) -> np.ndarray:
    """(m, K, K): the orthonormal basis, written out."""
    e = np.eye(K)
    E = np.array([np.outer(e[i], e[j]) + np.outer(e[j], e[i]) for i in range(K) for j in range(i, K)])
    return E / np.linalg.norm(E, axis=(1, 2), keepdims=True)


def apply(M: np.ndarray, X: np.ndarray) -> np.ndarray:
    """B[X]"""
    E = basis(len(X))
    return np.tensordot(M @ np.tensordot(E, X, 2), E, 1)


def residual(A: np.ndarray, M: np.ndarray, X: np.ndarray) -> tuple[float, float]:
    """|⟨X, Y⟩|/(‖A‖‖X‖), and how far X/‖X‖ and Y/‖A‖ are from being positive semidefinite."""
    Y, norm, size = A + apply(M, X), np.linalg.norm(A), np.linalg.norm(X) or 1.0
    lowest = min(np.linalg.eigvalsh(Y)[0] / norm, np.linalg.eigvalsh(X)[0] / size)
    return abs(np.sum(X * Y)) / (norm * size), max(0.0, -lowest)


def solve(A: np.ndarray, M: np.ndarray) -> np.ndarray:
    return sdcp(torch.from_numpy(A), torch.from_numpy(M)).X.numpy()


def symmetric(rng: np.random.Generator, K: int) -> np.ndarray:
    S = rng.standard_normal((K, K))
    return S + S.T


def positive(rng: np.random.Generator, m: int, rank: int | None = None) -> np.ndarray:
    D = rng.standard_normal((m, rank or 2 * m))
    return D @ D.T / D.shape[1]


def rotation(rng: np.random.Generator, K: int) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((K, K)))[0]


def congruence(G: np.ndarray) -> np.ndarray:
    """C with coordinates(G S Gᵀ) = C coordinates(S)."""
    E = basis(len(G))
    return np.einsum("aij,ik,bkl,jl->ab", E, G, E, G)


# Closed form


def test_the_coordinates_are_those_of_the_basis_and_keep_the_inner_product() -> None:
    S = torch.from_numpy(np.array([symmetric(np.random.default_rng(s), 4) for s in range(6)]).reshape(2, 3, 4, 4))
    assert torch.allclose(svec(S), torch.einsum("mij,abij->abm", torch.from_numpy(basis(4)), S), rtol=1e-15)
    assert torch.allclose(smat(svec(S)), S, rtol=1e-15)
    assert torch.allclose((svec(S) ** 2).sum(-1), (S**2).sum((-2, -1)), rtol=1e-14)
    assert svec(S.float()).dtype == torch.float32


@pytest.mark.parametrize(("a", "m"), [(-3.0, 0.25), (-1e-9, 1e7), (0.0, 2.0), (5.0, 0.0)])
def test_one_eigenvalue(a: float, m: float) -> None:
    assert solve(np.array([[a]]), np.array([[m]])).item() == (-a / m if a < 0 else 0)


@pytest.mark.parametrize("K", range(1, 9))
def test_for_the_identity_it_is_the_projection(K: int) -> None:
    """B = bI: X = A₋/b."""
    A = symmetric(np.random.default_rng(K), K)
    z, Q = np.linalg.eigh(A)
    np.testing.assert_allclose(solve(A, 0.3 * np.eye(len(basis(K)))), (Q * np.maximum(-z, 0) / 0.3) @ Q.T, atol=1e-13)


def test_nothing_oscillates_where_nothing_is_unstable() -> None:
    A = positive(np.random.default_rng(0), 5)
    assert sdcp(torch.from_numpy(A), torch.zeros(15, 15))[:] == (pytest.approx(torch.zeros(5, 5)), 0, 0, 0)


# Another way


def enumerate_lcp(a: np.ndarray, M: np.ndarray) -> np.ndarray:
    """x ≥ 0, a + Mx ≥ 0, x·(a + Mx) = 0 by trying every set of positive entries."""
    for k in range(len(a) + 1):
        for on in map(list, combinations(range(len(a)), k)):
            x = np.zeros(len(a))
            x[on] = np.linalg.solve(M[np.ix_(on, on)], -a[on])
            if x.min() >= 0 and (a + M @ x).min() >= -1e-12:
                return x
    raise AssertionError("a linear complementarity problem with positive definite M has a solution")


@pytest.mark.parametrize("seed", range(20))
def test_diagonal_problems_are_linear_ones_in_any_orientation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    K = 1 + seed % 6
    on = [i for i, E in enumerate(basis(K)) if np.trace(E) == 1]
    a, m, M = rng.standard_normal(K), positive(rng, K), np.eye(K * (K + 1) // 2)
    M[np.ix_(on, on)] = m
    Q = rotation(rng, K)
    C = congruence(Q)
    X = Q.T @ solve(Q @ np.diag(a) @ Q.T, C @ M @ C.T) @ Q
    np.testing.assert_allclose(X, np.diag(enumerate_lcp(a, m)), atol=1e-11)


def projected(A: np.ndarray, M: np.ndarray) -> np.ndarray:
    """Accelerated projected gradient with restart on ½⟨X, B[X]⟩ + ⟨A, X⟩: slow and sure."""
    X = Z = np.zeros_like(A)
    step, t = 1 / np.linalg.eigvalsh(M)[-1], 1.0
    for _ in range(4000):
        z, Q = np.linalg.eigh(Z - step * (A + apply(M, Z)))
        new = (Q * np.maximum(z, 0)) @ Q.T
        t = 1.0 if np.sum((Z - new) * (new - X)) > 0 else t
        s = (1 + (1 + 4 * t * t) ** 0.5) / 2
        X, Z, t = new, new + (t - 1) / s * (new - X), s
    return X


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_a_projected_gradient(seed: int) -> None:
    rng = np.random.default_rng(seed)
    K = 2 + seed % 5
    A, M = symmetric(rng, K), positive(rng, K * (K + 1) // 2)
    expected = projected(A, M)
    np.testing.assert_allclose(solve(A, M), expected, rtol=0, atol=1e-11 * np.abs(expected).max())  # set after: 6e-14


# Properties


@pytest.mark.parametrize("scaled", ["problems", "directions", "entries"])
def test_random_problems(scaled: str) -> None:
    """100 of each kind, scales over 1e±3. With M's entries over 1e±6 rounding of X moves Y by 1e-16‖M‖‖X‖."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        K = int(rng.integers(1, 7))
        m = K * (K + 1) // 2
        A, M = symmetric(rng, K), positive(rng, m)
        if scaled == "problems":
            A, M = A * 10 ** rng.uniform(-3, 3), M * 10 ** rng.uniform(-3, 3)
        elif scaled == "directions":
            T = np.diag(10 ** rng.uniform(-3, 3, K))
            A, M = T @ A @ T, congruence(T) @ M @ congruence(T)
        else:
            a, q = rng.uniform(-3, 3, (K, K)), 10 ** rng.uniform(-3, 3, m)
            A, M = A * 10 ** ((a + a.T) / 2), M * np.outer(q, q)
        got = sdcp(torch.from_numpy(A), torch.from_numpy(M))
        size = np.linalg.norm(M) * float(got.X.norm()) / np.linalg.norm(A)
        bound = 1e-10 + (2e-14 * size if scaled == "entries" else 0)
        assert max(*residual(A, M, got.X.numpy()), got.complementarity, got.infeasibility) <= bound


@pytest.mark.parametrize("K", [1, 2, 3, 5])
def test_scaling_rotation_and_monotonicity(K: int) -> None:
    rng = np.random.default_rng(K)
    A, M, other, Q = symmetric(rng, K), positive(rng, K * (K + 1) // 2), symmetric(rng, K), rotation(rng, K)
    A -= np.eye(K) * (np.linalg.eigvalsh(A)[0] + 1)
    X, C = solve(A, M), congruence(Q)
    tight = {"rtol": 1e-9, "atol": 1e-9 * np.abs(X).max()}
    np.testing.assert_allclose(solve(1e4 * A, M), 1e4 * X, rtol=1e-9, atol=1e4 * tight["atol"])
    np.testing.assert_allclose(solve(A, 1e4 * M), 1e-4 * X, rtol=1e-9, atol=1e-4 * tight["atol"])
    np.testing.assert_allclose(solve(Q @ A @ Q.T, C @ M @ C.T), Q @ X @ Q.T, **tight)
    assert np.sum((A - other) * (X - solve(other, M))) < 0


@pytest.mark.parametrize("K", [2, 4])
def test_oscillations_start_from_zero(K: int) -> None:
    """‖X − X′‖ ≤ ‖A − A′‖/λ_min(M), and X = 0 as long as λ_min(A) ≥ 0."""
    rng = np.random.default_rng(K)
    Q, M = rotation(rng, K), positive(rng, K * (K + 1) // 2)
    s = np.array([1e-3, 1e-9, 0.0, -1e-13, -1e-9, -1e-6, -1e-3, -0.1])
    X = [solve((Q * np.array([e, *range(1, K)])) @ Q.T, M) for e in s]
    assert not np.any(X[:2])
    sizes = np.array([np.linalg.norm(x) for x in X])
    assert np.all(np.diff(sizes[3:]) > 0)
    steps = np.array([np.linalg.norm(x - y) for x, y in pairwise(X)])
    assert np.all(steps <= np.abs(np.diff(s)) / np.linalg.eigvalsh(M)[0] + 1e-14)


@pytest.mark.parametrize("rank", [None, 5])
@pytest.mark.parametrize(("x", "y"), [((1, 0, 0), (0, 0, 2)), ((0, 0, 0), (0, 0, 1)), ((3, 1e-3, 0), (0, 0, 0))])
def test_where_both_vanish(x: tuple[float, ...], y: tuple[float, ...], rank: int | None) -> None:
    """X and Y share a kernel; with a singular B, of `rank`, X is not unique but must still do."""
    rng = np.random.default_rng(3)
    Q, M = rotation(rng, 3), positive(rng, 6, rank)
    expected = Q @ np.diag(x) @ Q.T
    A = Q @ np.diag(y) @ Q.T - apply(M, expected)
    X = solve(A, M)
    assert max(residual(A, M, X)) <= 1e-13
    if rank is None:
        np.testing.assert_allclose(X, expected, atol=1e-9)


# What is refused, and what is repaired


def test_a_little_asymmetry_is_dropped_and_reported() -> None:
    """RMSProp's map: a Gram matrix times diag(eᵢeⱼ), one so singular that symmetrizing makes an eigenvalue negative."""
    rng = np.random.default_rng(0)
    e = np.array([1.96, 2.0, 2.2])
    for rank in (6, 4):
        M = positive(rng, 6, rank) * np.array([e[i] * e[j] for i in range(3) for j in range(i, 3)])
        z, Q = np.linalg.eigh((M + M.T) / 2)
        repaired = (Q * np.maximum(z, 0)) @ Q.T
        A = np.diag([0.0, 0.0, 1.0]) - apply(repaired, np.diag([1.0, 0.1, 0.0]))
        got = sdcp(torch.from_numpy(A), torch.from_numpy(M))
        assert 0.01 < got.asymmetry == pytest.approx(np.linalg.norm(M - M.T) / np.linalg.norm(M) / 2, rel=1e-12)
        assert max(residual(A, repaired, got.X.numpy())) <= 1e-12
    assert z[0] < -1e-3


def test_the_answer_is_double_precision_without_a_graph() -> None:
    A = torch.tensor([[-1.0, 0.5], [0.5, 2.0]], requires_grad=True)
    got = sdcp(A, torch.eye(3))
    assert got.X.dtype == torch.float64
    assert not got.X.requires_grad


def tensor(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(
    ("A", "M", "said"),
    [
        (torch.ones(2, 3), torch.eye(3), r"must be \(K, K\)"),
        (torch.zeros(0, 0), torch.zeros(0, 0), "K ≥ 1"),
        (torch.eye(2), torch.eye(4), r"not on X.flatten\(\)"),
        (tensor([[1, torch.nan], [torch.nan, 1]]), torch.eye(3), "finite"),
        (torch.eye(2), torch.eye(3) * torch.inf, "finite"),
        (tensor([[1, 2], [0, 1]]), torch.eye(3), "A must be symmetric"),
        (-torch.eye(2), torch.diag(tensor([1, 1, -0.1])), "B must be positive semidefinite"),
        (tensor([[-1]]), tensor([[0]]), "no solution"),
        (torch.diag(tensor([1, -1])), torch.diag(tensor([1, 1, 0])), "B lacks curvature"),
        (tensor([[0, 1], [1, 0]]), torch.diag(tensor([1, 0, 0])), "no solution"),
        (-torch.eye(3), torch.zeros(6, 6), "no solution"),
    ],
)
def test_what_has_no_answer_says_so(A: Tensor, M: Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sdcp(A, M)
