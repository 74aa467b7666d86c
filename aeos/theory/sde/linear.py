"""Adam(W) near a minimum with its preconditioner frozen: a linear recursion in (X, M), whose covariance is exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aeos.theory.stability.coefficients import Number, require

#: What the SDE does with ηρ₁(∇f − M) in its drift: as printed, without it, or with its noise as well.
FORMS = ("new", "lagged", "noisy")
PROCESSES = ("optimizer", *FORMS)
MARGIN = 1e-12  # rounding of an eigenvalue: closer to 1 there may be no law, and no inverse


def adam_covariance(
    curvature: ArrayLike,
    noise: ArrayLike,
    lr: ArrayLike,
    *,
    beta1: ArrayLike,
    weight_decay: ArrayLike = 0.0,
    process: str = "optimizer",
    dt: ArrayLike | None = None,
    preconditioner: ArrayLike | None = None,
) -> np.ndarray:
    """C of C = F C Fᵀ + G Gᵀ,  or of A C + C Aᵀ + B Bᵀ = 0: the stationary covariance of (X, M), shape (…, 2, 2)

    optimizer: M ← β₁M + (1 − β₁)(λX + sZ),  X ← (1 − ηθ)X − (η/P)M, with the new M, in the limit of no bias correction
    new:       dX = −(M + ηρ₁(λX − M))/P dt − θX dt,  dM = ρ₁(λX − M) dt + √η ρ₁ s dW,  ρ₁ = (1 − β₁)/η, as printed
    lagged:    without its term ηρ₁(λX − M)/P
    noisy:     with it, and with −√η ηρ₁ (s/P) dW in dX: the same dW

    P = s unless `preconditioner` is given. `dt` is the step of Euler–Maruyama on the SDE, None the SDE itself; the
    optimizer has none, but is, step for step, what "noisy" does at dt = η. Shape of the broadcast arguments before
    (2, 2); ∞ where there is no stationary law.

    At β₁ = 0.9, η = 1e-3, s = 0.1, θ = 0, λ = 1, Var X is 1.0003, 0.802, 1.000 and 0.991 of ηs/(2λ): the printed term
    is the O(η) part of using the new M, and without its noise loses about 2(1 − β₁) of the variance. Raises ValueError
    for noise or preconditioner ≤ 0, β₁ outside [0, 1), unknown processes, and dt for the optimizer. Derived;
    arXiv 2411.15958, SDE of AdamW.
    """
    if process not in PROCESSES:
        raise ValueError(f"process={process}: must be one of {', '.join(PROCESSES)}")
    s, beta = np.asarray(noise, dtype=float), np.asarray(beta1, dtype=float)
    p = s if preconditioner is None else np.asarray(preconditioner, dtype=float)
    for name, x in {"noise": s, "preconditioner": p}.items():
        require(name, x, x > 0, "> 0")
    require("beta1", beta, (beta >= 0) & (beta < 1), "in [0, 1)")
    lam, lr, theta = (np.asarray(x, dtype=float) for x in (curvature, lr, weight_decay))
    if process == "optimizer":
        if dt is not None:
            raise ValueError(f"dt={dt}: the optimizer's step is lr; choose process={', '.join(FORMS)}, or dt=None")
        moved = lr / p * (1 - beta)
        F = _stack([[1 - lr * theta - moved * lam, -lr / p * beta], [(1 - beta) * lam, beta]])
        return _discrete(F, _outer(-moved * s, (1 - beta) * s))
    A, B = _sde(lam, s, lr, theta, (1 - beta) / lr, p, process)
    if dt is None:
        return _continuous(A, B)
    h = np.asarray(dt, dtype=float)[..., None, None]
    return _discrete(np.eye(2) + h * A, h * B)


def adam_variance(curvature: ArrayLike, noise: ArrayLike, lr: ArrayLike, **how: ArrayLike | str | None) -> Number:
    """Var X_∞ = C₁₁ of `adam_covariance`, whose arguments and errors these are; shape of the broadcast arguments"""
    return adam_covariance(curvature, noise, lr, **how)[..., 0, 0][()]  # type: ignore[arg-type]


def _sde(
    lam: np.ndarray, s: np.ndarray, lr: np.ndarray, theta: np.ndarray, rho: np.ndarray, p: np.ndarray, process: str
) -> tuple[np.ndarray, np.ndarray]:
    """A and B Bᵀ of d(X, M) = A (X, M) dt + B dW."""
    newer = 0.0 if process == "lagged" else lr * rho
    A = _stack([[-theta - newer * lam / p, -(1 - newer) / p], [rho * lam, -rho]])
    return A, lr[..., None, None] * _outer(-newer * s / p if process == "noisy" else 0.0, rho * s)


def _discrete(F: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """C = F C Fᵀ + Q."""
    return _solve(np.eye(4) - _kron(F, F), Q, np.abs(np.linalg.eigvals(F)) < 1 - MARGIN)


def _continuous(A: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """A C + C Aᵀ + Q = 0."""
    one = np.broadcast_to(np.eye(2), A.shape)
    return _solve(-(_kron(A, one) + _kron(one, A)), Q, np.linalg.eigvals(A).real < 0)


def _solve(system: np.ndarray, Q: np.ndarray, decays: np.ndarray) -> np.ndarray:
    """C of system · vec C = vec Q; ∞ where not all modes decay."""
    stable = np.all(decays, axis=-1)[..., None, None]
    shape = np.broadcast_shapes(system.shape[:-2], Q.shape[:-2])
    flat = np.broadcast_to(Q, (*shape, 2, 2)).reshape(*shape, 4, 1)
    C = np.linalg.solve(np.where(stable, system, np.eye(4)), flat).reshape(*shape, 2, 2)
    return np.where(stable, C, np.inf)


def _kron(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("...ij,...kl->...ikjl", a, b).reshape(*a.shape[:-2], 4, 4)


def _outer(x: Number, m: Number) -> np.ndarray:
    return _stack([[x * x, x * m], [x * m, m * m]])


def _stack(rows: list[list[Number]]) -> np.ndarray:
    """(…, 2, 2) from entries that broadcast."""
    entries = np.broadcast_arrays(*(entry for row in rows for entry in row))
    return np.stack(entries, axis=-1).reshape(*entries[0].shape, 2, 2)
