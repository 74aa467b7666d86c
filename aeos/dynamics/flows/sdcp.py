"""The semidefinite complementarity problem that says how large the oscillations of a central flow are.

A linear map on symmetric matrices is given as the matrix M that it has in the orthonormal basis E_ii,
(E_ij + E_ji)/√2, i < j. A central flow has it in this form at once, each column the answer to one basis matrix; there
the map is symmetric exactly if M is, ⟨X, Y⟩ is a dot product, and Newton's equations are a plain linear system.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

#: Residuals that end the search and above which, rounding aside, there is no solution.
ENOUGH, TOO_LARGE = 1e-14, 1e-10
EPS = torch.finfo(torch.float64).eps


class NoSolution(ValueError):
    """No X ⪰ 0 makes A + B[X] ⪰ 0: the oscillation would grow without end."""


class Solution(NamedTuple):
    """Of `sdcp`; Y = A + B[X], norms are Frobenius norms, numbers are relative."""

    X: Tensor
    #: |⟨X, Y⟩|/(‖A‖‖X‖), 0 for X = 0
    complementarity: float
    #: max(0, −λ_min(Y))/‖A‖
    infeasibility: float
    #: ‖M − Mᵀ‖/(2‖M‖): how much of M was dropped to make it symmetric
    asymmetry: float


@cache
def _pairs(K: int) -> tuple[Tensor, Tensor, Tensor]:
    """(i, j, c) of the basis matrices, i ≤ j row by row: svec(S) = c S_ij."""
    i, j = torch.triu_indices(K, K)
    return i, j, torch.where(i == j, 1, 2).to(torch.float64).sqrt()


def svec(S: Tensor) -> Tensor:
    """(S₁₁, √2 S₁₂, …, √2 S_1K, S₂₂, …, S_KK), so that svec(S)·svec(T) = ⟨S, T⟩:  (…, K, K) → (…, K(K+1)/2)"""
    i, j, c = _pairs(S.shape[-1])
    return S[..., i, j] * c.to(S)


def smat(x: Tensor) -> Tensor:
    """Σₘ xₘ Eₘ, the inverse of `svec`:  (…, K(K+1)/2) → (…, K, K)"""
    K = math.isqrt(2 * x.shape[-1])
    i, j, c = _pairs(K)
    S = x.new_empty(*x.shape[:-1], K, K)
    S[..., i, j] = S[..., j, i] = x / c.to(x)
    return S


def sdcp(A: Tensor, M: Tensor) -> Solution:
    """X ⪰ 0,  Y = A + B[X] ⪰ 0,  ⟨X, Y⟩ = 0,  svec(B[X]) = M svec(X)

    the X ⪰ 0 that minimizes ½⟨X, B[X]⟩ + ⟨A, X⟩, unique if B is positive definite. A is symmetric (K, K), M (m, m) with
    m = K(K+1)/2, B symmetric and positive semidefinite; meant for K ≤ 10. X is float64, on A's device.

    X = 0 if A ⪰ 0, max(0, −A/M) if K = 1. Else Newton's method on Z = X − Y (`_newton`) is tried from Z = A₋ − A₊ and,
    if it misses the faces on which X and Y lie, again from points of the central path (`_path`), which leads there
    whatever the scales. Residuals come down to rounding and are below 1e-10 + 2e-14‖M‖‖X‖/‖A‖ in any answer.

    A central flow with unequal eigenvalues has a slightly asymmetric M. It is replaced by (M + Mᵀ)/2, `asymmetry` says
    how far away that is, and eigenvalues that this has made negative are set to 0.

    Raises ValueError for wrong shapes, numbers that are not finite, A not symmetric, B with negative eigenvalues that
    asymmetry does not explain; NoSolution, which is one, where there is none: then ⟨A, C⟩ < 0 for some C ⪰ 0 with
    B[C] = 0, or almost.

    Central flows: Cohen et al., arXiv 2410.24206. Path: Mehrotra's predictor and corrector along the Nesterov–Todd
    direction, as for semidefinite programs in Todd, Toh & Tütüncü, SIAM J. Optim. 8 (1998).
    """
    device = A.device
    A, M, asymmetry = _checked(A, M)
    scale_a, scale_m = float(A.norm()), float(M.norm())
    if torch.linalg.eigvalsh(A)[0] >= -len(A) * EPS * scale_a:
        return Solution(torch.zeros_like(A, device=device), 0.0, 0.0, asymmetry)
    if len(A) == 1 and M > 0:
        return Solution((-A / M).to(device), 0.0, 0.0, asymmetry)
    A, M = A / scale_a, M / (scale_m or 1)
    best, found = (math.inf, math.inf), torch.zeros_like(A)
    for X in _candidates(A, M):
        residuals = _residuals(A, M, X)
        if max(residuals) < max(best):
            best, found = residuals, X
        if max(best) <= ENOUGH:
            break
    size = float(found.norm())
    rounding = 100 * EPS * size if size < 1e12 else 0.0  # a larger X is running away, unless its residuals are small
    if max(best) > TOO_LARGE + rounding:
        raise NoSolution(
            f"no solution (best residual {max(best):.1e}): B lacks curvature along a direction in which A is negative; "
            "some C ⪰ 0 with B[C] = 0, or almost, has ⟨A, C⟩ < 0, so that no X makes A + B[X] ⪰ 0"
        )
    return Solution((found * (scale_a / (scale_m or 1))).to(device), *best, asymmetry)


def _checked(A: Tensor, M: Tensor) -> tuple[Tensor, Tensor, float]:
    """A, (M + Mᵀ)/2 without negative eigenvalues, and the asymmetry dropped; float64 on the CPU."""
    K = len(A) if A.ndim == 2 else 0
    m = K * (K + 1) // 2
    if not K or A.shape != (K, K) or M.shape != (m, m):
        raise ValueError(
            f"A {tuple(A.shape)}, M {tuple(M.shape)}: must be (K, K) and (m, m), m = K(K+1)/2, K ≥ 1; "
            "M acts on svec(X), not on X.flatten()"
        )
    A, M = (matrix.detach().to("cpu", torch.float64) for matrix in (A, M))
    if not (A.isfinite().all() and M.isfinite().all()):
        raise ValueError("A and M must be finite")
    if (A - A.T).norm() > 1e-6 * A.norm():
        raise ValueError(f"A must be symmetric; ‖A − Aᵀ‖ = {float((A - A.T).norm() / A.norm()):.1e}·‖A‖")
    norm, skew = float(M.norm()), float((M - M.T).norm()) / 2
    A, M = (A + A.T) / 2, (M + M.T) / 2
    lowest = float(torch.linalg.eigvalsh(M)[0])
    if lowest < -skew - 1e-6 * norm:  # a matrix with real eigenvalues ≥ 0 leaves no more; float32 rounding is in 1e-6
        raise ValueError(f"B must be positive semidefinite; an eigenvalue of M is {lowest / norm:.1e}·‖M‖")
    if lowest < -len(M) * EPS * norm:
        values, vectors = torch.linalg.eigh(M)
        M = vectors * values.clamp_min(0) @ vectors.T
    return A, M, skew / (norm or 1)


def _residuals(A: Tensor, M: Tensor, X: Tensor) -> tuple[float, float]:
    """Complementarity and infeasibility of `Solution`, ‖A‖ = 1; NaN counts as infinite."""
    Y = A + smat(M @ svec(X))
    if not Y.isfinite().all():
        return math.inf, math.inf
    size = float(X.norm())
    gap = abs(float((X * Y).sum()))
    return gap / size if size else 0.0, max(0.0, -float(torch.linalg.eigvalsh(Y)[0]))


def _candidates(A: Tensor, M: Tensor) -> Iterator[Tensor]:
    """Better and better X: Newton's from the first guess, points of the central path, and Newton's from those."""
    try:
        yield _newton(svec(A), M, -A)
        close = 0.1
        for G, lam, B, guess in _path(A, M):
            X = G * lam @ G.T
            yield X
            gap = float(lam @ lam / (A * X).sum().abs())  # infinite for ⟨A, X⟩ = 0
            if gap < close:
                close, unit = gap / 100, float(lam.norm()) / len(lam) ** 0.5
                yield G @ _newton(svec(G.T @ A @ G) / unit, B, guess / unit) @ G.T * unit
                Y = A + smat(M @ svec(X))
                alike = float(X.norm() / Y.norm())
                yield _newton(svec(A), M * alike, X / alike - Y) * alike
            if gap < EPS / 10:
                return
    except torch.linalg.LinAlgError:  # rounding has made an iterate indefinite: the path ends here
        return


def _newton(a: Tensor, M: Tensor, Z: Tensor) -> Tensor:
    """0 = F(Z) = A + B[Z₊] − Z₋,  F′(Z)[D] = B[P∘D] + (1 − P)∘D,  Pᵢⱼ = (xᵢ + xⱼ)/(xᵢ + xⱼ + yᵢ + yⱼ)

    in Z's eigenbasis, x = z₊, y = z₋: X = Z₊ and Y = Z₋ are then positive semidefinite and complementary, of the right
    rank, before F is zero. Semismooth Newton converges in a few steps if it does; it stops when ‖F‖ no longer halves.
    Where B is singular on the face or X and Y share a kernel F′ may be singular; the shortest step does.
    """
    i, j, _ = _pairs(len(Z))
    best, X = math.inf, torch.zeros_like(Z)
    for _ in range(10):
        if not Z.isfinite().all():
            break
        z, Q = torch.linalg.eigh(Z)
        x, y = z.clamp_min(0), (-z).clamp_min(0)
        now = Q * x @ Q.T
        F = a + M @ svec(now) - svec(Q * y @ Q.T)
        last, best = best, min(best, float(F.norm()))
        if best < last:
            X = now
        if not best < last / 2:
            break
        C, s, t = _congruence(Q), x[i] + x[j], y[i] + y[j]
        P = torch.where(s + t > 0, s / (s + t), 0.5)
        J = C.T @ M @ C * P + torch.diag(1 - P)
        Z = Z - smat(C @ torch.linalg.lstsq(J, C.T @ F, rcond=1e-14, driver="gelsd").solution)
    return X


def _path(A: Tensor, M: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """X = GΛGᵀ, Y = G⁻ᵀΛG⁻¹:  dY = B̃[dX] + GᵀRG,  dX + dY = S,  R = A + B[X] − Y,  B̃ = B in coordinates G

    In these coordinates X and Y are the same diagonal Λ, and a step solves (I + B̃)dX = S − GᵀRG. S = −Λ aims at Y = 0
    or X = 0 directly (predictor), 2(σμI − (dX dY + dY dX)/2)ᵢⱼ/(λᵢ + λⱼ) − Λ at XY = σμI (corrector).
    Yields (G, λ, M̃, the predictor's guess at Z).
    """
    K = len(A)
    G, lam = torch.eye(K, dtype=A.dtype), torch.ones(K, dtype=A.dtype)
    R = A + smat(M @ svec(G)) - G
    for _ in range(60):
        C, D, mu = _congruence(G), torch.diag(lam), float(lam @ lam) / K
        B, r = C.T @ M @ C, svec(G.T @ R @ G)
        L = torch.linalg.cholesky(B + torch.eye(len(B), dtype=B.dtype))
        dX = smat(torch.cholesky_solve((svec(-D) - r)[:, None], L)[:, 0])
        dY = -D - dX
        yield G, lam, B, dX - dY
        a = _length(lam, dX, dY)
        sigma = min(1.0, max(0.0, float(((D + a * dX) * (D + a * dY)).sum()) / (mu * K))) ** 3
        second = (dX @ dY + dY @ dX) / 2
        S = 2 * (sigma * mu * torch.eye(K, dtype=A.dtype) - second) / (lam[:, None] + lam) - D
        dX = smat(torch.cholesky_solve((svec(S) - r)[:, None], L)[:, 0])
        dY = S - dX
        a = _length(lam, dX, dY)
        X, Y = (torch.linalg.cholesky(D + a * move) for move in (dX, dY))
        _, lam, Vt = torch.linalg.svd(Y.T @ X)
        G, R = G @ X @ Vt.T * lam**-0.5, R * (1 - a)


def _length(lam: Tensor, *moves: Tensor) -> float:
    """The largest a ≤ 1 with Λ + (a/0.95)·move ⪰ 0 for each move."""
    lowest = min(float(torch.linalg.eigvalsh(move / (lam[:, None] * lam).sqrt())[0]) for move in moves)
    return min(1.0, -0.95 / lowest) if lowest < 0 else 1.0


def _congruence(G: Tensor) -> Tensor:
    """C with svec(G S Gᵀ) = C svec(S), orthogonal if G is."""
    i, j, c = _pairs(len(G))
    return torch.outer(c, c) / 2 * (G[i][:, i] * G[j][:, j] + G[i][:, j] * G[j][:, i])
