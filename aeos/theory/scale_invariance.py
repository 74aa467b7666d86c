"""How the norm and the direction of scale-invariant weights move under AdamW.

W is scale-invariant if L(ρW) = L(W) for ρ > 0, so that its gradient is at right angles to it. The formulas take the
measured updates u, without the factor lr: what they explain is what happens to W then.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Number = float | np.ndarray


class ImpliedStage(NamedTuple):
    """Of `implied_stage`."""

    beta2: Number
    gamma2: float
    effective_lr: Number


def momentum_factor(gamma: ArrayLike | None) -> Number:
    """(1 + γ)/(1 − γ), and 1 for None

    W moves while momentum remembers, so that ⟨W, u⟩ = −O(η‖u‖²) although ⟨W, g⟩ = 0: in stationarity W's norm grows
    by this factor faster than ‖u‖² says, whatever the correlation of the gradients. The published formulas leave it
    out: γ = None everywhere here. Raises ValueError for γ outside [0, 1). Derived.
    """
    if gamma is None:
        return 1.0
    gamma = np.asarray(gamma, dtype=float)
    if not np.all((gamma >= 0) & (gamma < 1)):
        raise ValueError(f"gamma={gamma}: must be in [0, 1)")
    return (1 + gamma) / (1 - gamma)


def squared_norm(
    initial: ArrayLike,
    squared_updates: ArrayLike,
    lr: ArrayLike,
    weight_decay: ArrayLike,
    gamma: ArrayLike | None = None,
) -> np.ndarray:
    """‖Wₙ₊₁‖² = e^(−2λη)‖Wₙ‖² + η²·f·‖uₙ‖²,  f = 1 (published) or, with γ given, (1 + γ)/(1 − γ) (momentum-corrected)

    initial ‖W₀‖² () or (matrices,), squared_updates ‖uₙ‖² (steps,) or (steps, matrices); returns (steps + 1, …), the
    initial one first. The other arguments are numbers or (matrices,). Solves d‖W‖²/dt = −2λ‖W‖² + ηf‖u‖², t = ηn.
    Published: close while the norm has grown little; wrong by the factor afterwards. Raises ValueError for γ outside
    [0, 1). arXiv 2411.05746, the norm's theorem and Fig. 5; the factor: derived.
    """
    lr, decay = np.asarray(lr, dtype=float), np.asarray(weight_decay, dtype=float)
    added = lr**2 * momentum_factor(gamma) * np.asarray(squared_updates, dtype=float)
    return _accumulate(initial, np.exp(-2 * lr * decay), added)


def exact_squared_norm(
    initial: ArrayLike, squared_updates: ArrayLike, alignments: ArrayLike, lr: ArrayLike, weight_decay: ArrayLike
) -> np.ndarray:
    """‖Wₙ₊₁‖² = (1 − λη)²‖Wₙ‖² + η²‖uₙ‖² − 2η(1 − λη)⟨Wₙ, uₙ⟩

    An identity of AdamW. alignments ⟨Wₙ, uₙ⟩ in the shape of squared_updates, or 0: the published formula without its
    continuous time. Shapes otherwise as `squared_norm`.
    """
    lr, decay = np.asarray(lr, dtype=float), np.asarray(weight_decay, dtype=float)
    kept = 1 - lr * decay
    squared, inner = np.asarray(squared_updates, dtype=float), np.asarray(alignments, dtype=float)
    return _accumulate(initial, kept**2, lr**2 * squared - 2 * lr * kept * inner)


def implied_stage(lr: ArrayLike, weight_decay: ArrayLike) -> ImpliedStage:
    """β₂ = 1/(1 + 2ηλ),  γ₂ = 0,  effective lr √(2ηλ)

    Once W₀ is forgotten, ‖W‖² = η/(2λ)·EMA(‖u‖²), so that the direction moves by −√(2ηλ)·u/√EMA(‖u‖²) a step: a second
    adaptive normalization, one scalar a matrix, as in 2-Adam. Shape of the broadcast arguments. Published form, as it
    follows without the momentum factor, which multiplies the effective lr by √((1 − γ)/(1 + γ)). arXiv 2411.05746.
    """
    rate = 2 * np.asarray(lr, dtype=float) * np.asarray(weight_decay, dtype=float)
    return ImpliedStage(1 / (1 + rate), 0.0, np.sqrt(rate))


@np.errstate(divide="ignore")
def equilibrium_squared_norm(
    squared_update: ArrayLike, lr: ArrayLike, weight_decay: ArrayLike, gamma: ArrayLike | None = None
) -> Number:
    """‖W‖² → η·f·mean‖u‖²/(2λ),  f = 1 (published) or (1 + γ)/(1 − γ)

    For n ≫ 1/(2λη); ∞ for λ = 0. Shape of the broadcast arguments. Raises ValueError for γ outside [0, 1).
    """
    lr, decay = np.asarray(lr, dtype=float), np.asarray(weight_decay, dtype=float)
    return lr * momentum_factor(gamma) * np.asarray(squared_update, dtype=float) / (2 * decay)


def equilibrium_rotation(lr: ArrayLike, weight_decay: ArrayLike, gamma: ArrayLike | None = None) -> Number:
    """√(2ηλ/f),  f = 1 (published) or (1 + γ)/(1 − γ): rms rotation per step at the norm's equilibrium, in radians

    Shape of the broadcast arguments. Raises ValueError for γ outside [0, 1).
    """
    return np.sqrt(2 * np.asarray(lr, dtype=float) * np.asarray(weight_decay, dtype=float) / momentum_factor(gamma))


def gradient_cosine(lag: ArrayLike, size: ArrayLike, norm: ArrayLike, lr: ArrayLike, gamma: ArrayLike) -> Number:
    """cos(Wₙ, gₙ₋ₗ) = −η(1 − γˡ)√d/‖W‖,  l the lag, d the number of W's entries

    What the steps since then have moved W against g: 0 only at lag 0, and what the published formulas leave out. For
    gradients that do not correlate, at a norm of W that changes little meanwhile, under one v for all of W. Shape of
    the broadcast arguments. Derived.
    """
    lag, gamma = np.asarray(lag, dtype=float), np.asarray(gamma, dtype=float)
    return -np.asarray(lr, dtype=float) * (1 - gamma**lag) * np.sqrt(size) / np.asarray(norm, dtype=float)


def rotate(direction: ArrayLike, update: ArrayLike, norm: ArrayLike, lr: float) -> np.ndarray:
    """D ← normalize(D − (η/r)(u − ⟨u, D⟩D))

    One step of dŴ/dt = −u_⊥/‖W‖: D and u (…, d), r = ‖W‖ (…). arXiv 2411.05746, the direction's proposition.
    """
    D, u = np.asarray(direction, dtype=float), np.asarray(update, dtype=float)
    across = u - np.sum(u * D, axis=-1, keepdims=True) * D
    return _normalize(D - lr / np.asarray(norm, dtype=float)[..., None] * across)


def direction(initial: ArrayLike, updates: ArrayLike, norms: ArrayLike, lr: float) -> np.ndarray:
    """Dₙ₊₁ = normalize(Dₙ − (η/rₙ)(uₙ − ⟨uₙ, Dₙ⟩Dₙ)),  D₀ = W₀/‖W₀‖

    initial W₀ (…, d), updates (steps, …, d), norms rₙ = ‖Wₙ‖ (steps + 1, …), as the root of `squared_norm` gives them,
    true or predicted, its last not used; returns (steps + 1, …, d), all of norm 1. Raises ValueError for norms of
    another length. For large d, call `rotate` step by step instead.
    """
    updates, norms = np.asarray(updates, dtype=float), np.asarray(norms, dtype=float)
    if len(norms) != len(updates) + 1:
        raise ValueError(f"norms: {len(norms)} of them must be one more than the {len(updates)} updates")
    path = [_normalize(np.asarray(initial, dtype=float))]
    for update, norm in zip(updates, norms[:-1], strict=True):
        path.append(rotate(path[-1], update, norm, lr))
    return np.stack(path)


def _accumulate(initial: ArrayLike, kept: Number, added: np.ndarray) -> np.ndarray:
    """xₙ₊₁ = kept·xₙ + addedₙ."""
    x = np.broadcast_to(np.asarray(initial, dtype=float), np.broadcast_shapes(np.shape(initial), added.shape[1:]))
    path = [x]
    for new in added:
        path.append(kept * path[-1] + new)
    return np.stack(path)


def _normalize(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)
