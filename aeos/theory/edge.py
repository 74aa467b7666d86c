"""The edge of stability: the largest curvature that an optimizer can stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Number = float | np.ndarray

#: Optimizers by name, each with what it calls the rate of its momentum.
RATE: dict[str, str | None] = {
    "gd": None,
    "heavy_ball": "momentum",
    "ema": "beta1",
    "nesterov": "momentum",
    "rmsprop": None,
    "rmspropw": None,
    "scalar_rmsprop": None,
    "adagrad": None,
    "adam": "beta1",
    "adamw": "beta1",
    "amsgrad": "beta1",
    "nadam": "beta1",
    "padam": "beta1",
}
#: What the threshold depends on besides lr, decay and step.
SETTINGS = ("beta1", "momentum", "bias_correction", "momentum_decay")
#: Optimizers without a threshold, and why.
ROUGH = {
    "signsgd": "optimizer=signsgd: the sign of a gradient is no smooth preconditioner, so there is no stability "
    "threshold; choose rmsprop or adam",
    "kadam": "optimizer=kadam: several normalizations in a row are no smooth preconditioner, so there is no stability "
    "threshold; choose adam, which is k-Adam with k = 1",
}


def stability_threshold(
    optimizer: str,
    lr: ArrayLike,
    *,
    beta1: ArrayLike = 0.0,
    momentum: ArrayLike = 0.0,
    weight_decay: ArrayLike = 0.0,
    step: ArrayLike | None = None,
    bias_correction: bool = True,
    momentum_decay: float = 0.0,
) -> Number:
    """(2 − ηλ)/(η·G(−1)):  θ ← (1 − ηλ)θ − ηu,  u = G(z) g/P, is unstable iff λ₁(P^(−½)HP^(−½)) is larger

    P is held fixed. The modes then decouple; each becomes unstable through a root at z = −1, an oscillation of period
    2, where the momentum's transfer function G has the value
    1 for gd, rmsprop, scalar_rmsprop, adagrad;  1/(1 + β) for heavy_ball;  (1 + 2β)/(1 + β) for nesterov;
    E = (1 − β₁)/(1 + β₁) for ema;  E/(1 − β₁ᵗ) for adam, amsgrad, padam;
    μₜ₊₁E/(1 − μ₁⋯μₜ₊₁) + (1 − μₜ)/(1 − μ₁⋯μₜ) for nadam, μₜ = β₁(1 − ½·0.96^(tψ)), ψ = momentum_decay, or β₁ if ψ = 0.

    `step` t = 1, 2, … is the number of the step being taken, its coefficients held fixed; None is the limit t → ∞,
    to within 2 % of which NAdam with torch's ψ = 0.004 takes 3·10⁴ steps. `bias_correction` off: no denominators.
    `weight_decay` λ is decoupled. L2 decay is part of the loss instead: compare λ₁(P^(−½)(H + λI)P^(−½)) with the
    threshold without decay. A rate that the optimizer calls by another name is refused.

    Arguments broadcast, but for the last two; the result has their common shape and the units of P⁻¹H. Raises
    ValueError for signsgd and kadam, which have no smooth P, for other unknown names and for values out of range, among
    them ηλ ≥ 2: θ ← (1 − ηλ)θ alone does not shrink, at any sharpness.

    Cohen et al., arXiv 2103.00065 and 2207.14484; decay, finite t and NAdam from the same characteristic polynomials.
    """
    if optimizer not in RATE:
        raise ValueError(ROUGH.get(optimizer, f"optimizer={optimizer}: must be one of {', '.join(RATE)}"))
    lr, weight_decay = np.asarray(lr, dtype=float), np.asarray(weight_decay, dtype=float)
    rates = {"beta1": np.asarray(beta1, dtype=float), "momentum": np.asarray(momentum, dtype=float)}
    _require("lr", lr, (lr > 0) & (lr < np.inf), "a finite number > 0")
    _require("weight_decay", weight_decay, (weight_decay >= 0) & (weight_decay < np.inf), "a finite number >= 0")
    _require("lr·weight_decay", lr * weight_decay, lr * weight_decay < 2, "below 2; decay alone does not shrink")
    for name, rate in rates.items():
        _require(name, rate, (rate >= 0) & (rate < 1), "in [0, 1)")
    t = None if step is None else np.asarray(step)
    if t is not None:
        _require("step", t, (t >= 1) & (t % 1 == 0), "a whole number >= 1, or None")
        t = t.astype(int)
    beta = rates.pop(RATE[optimizer] or "", np.zeros(()))
    for name, rate in rates.items():
        _require(name, rate, rate == 0, f"0 for {optimizer}, which has {RATE[optimizer] or 'no momentum'}")
    gain = _gain(optimizer, beta, t, bias_correction, momentum_decay)
    return (2 - lr * weight_decay) / (lr * gain)


def _gain(optimizer: str, beta: np.ndarray, t: np.ndarray | None, corrected: bool, decay: float) -> Number:
    """G(−1): by how much momentum amplifies a gradient that changes its sign at every step."""
    average = (1 - beta) / (1 + beta)
    match optimizer:
        case "ema":
            return average
        case "heavy_ball":
            return 1 / (1 + beta)
        case "nesterov":
            return (1 + 2 * beta) / (1 + beta)
        case "nadam":
            return _nadam(beta, t, corrected, decay)
    return average / (1 - beta**t) if corrected and t is not None else average


def _nadam(beta: np.ndarray, t: np.ndarray | None, corrected: bool, decay: float) -> Number:
    average = (1 - beta) / (1 + beta)
    if t is None:
        return beta * average + (1 - beta)
    rising = 1 - 0.5 * 0.96 ** (decay * np.arange(1, t.max() + 2)) if decay else np.ones(t.max() + 1)
    past, present = beta * rising[t], 1 - beta * rising[t - 1]
    if corrected:
        product = np.cumprod(rising)
        past = past / (1 - beta ** (t + 1) * product[t])
        present = present / (1 - beta**t * product[t - 1])
    return past * average + present


def _require(name: str, value: np.ndarray, holds: np.ndarray, says: str) -> None:
    if not np.all(holds):
        raise ValueError(f"{name}={value}: must be {says}")
