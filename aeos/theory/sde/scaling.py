"""How the settings of RMSprop(W) and Adam(W) go with the batch size."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from aeos.theory.sde.stationary import stationary_loss
from aeos.theory.stability.coefficients import Number, require


def rescale(
    kappa: float,
    *,
    lr: float,
    batch_size: float,
    weight_decay: float,
    beta1: float,
    beta2: float,
    eps: float,
    steps: float | None = None,
    noise: float | None = None,
) -> dict[str, float]:
    """(η, B, θ, βᵢ, ε) → (κη, κ²B, κθ, 1 − κ²(1 − βᵢ), ε/κ),  steps K → K/κ²,  noise s → s/κ

    The same keys; steps and noise, the scale of injected noise, which stands for 1/√B, only if given. Whole numbers
    stay whole where they can: batch_size and steps are floats where κ² makes them fractions. At an equal number of
    samples the law of the whole path is the same, up to O(η), where V is made of noise: see `validity`.

    Raises ValueError for κ ≤ 0 and for κ² > 1/(1 − βᵢ), which would make a βᵢ negative: κ ≤ 3.162 for β = 0.9.
    arXiv 2411.15958, scaling rule; without θ it is that of Malladi et al., arXiv 2205.10287.
    """
    if not 0 < kappa < math.inf:
        raise ValueError(f"kappa={kappa}: must be a finite number > 0")
    least = min(beta1, beta2)
    largest = math.inf if least == 1 else 1 / math.sqrt(1 - least)
    if kappa > largest * (1 + 1e-12):
        which = "beta1" if beta1 <= beta2 else "beta2"
        raise ValueError(f"kappa={kappa}: must be at most {largest:.6g}, kappa² <= 1/(1 - beta), for {which}={least}")
    square = kappa**2
    scaled = {
        "lr": kappa * lr,
        "batch_size": _whole(square * batch_size),
        "weight_decay": kappa * weight_decay,
        "beta1": max(0.0, 1 - square * (1 - beta1)),
        "beta2": max(0.0, 1 - square * (1 - beta2)),
        "eps": eps / kappa,
    }
    if steps is not None:
        scaled["steps"] = _whole(steps / square)
    if noise is not None:
        scaled["noise"] = noise / kappa
    return scaled


@np.errstate(divide="ignore")
def validity(gradient_squared: ArrayLike, noise_variance: ArrayLike) -> float:
    """median(∇f²/diag Σ):  the rule is trustworthy where this is ≪ 1

    Arrays of one shape, over all of which the median runs. ∇f² does not scale with the batch as Σ does: far from the
    minimum V is made of it, and a rescaled run takes another path to the same level. From (1, 1) at s = 0.1, where the
    ratio is 100 and more, the loss at the first of three equal checkpoints was 0.048 before and 0.231 after κ = 2.
    Coordinates without noise and without gradient count as 0. Derived.
    """
    grad, noise = np.asarray(gradient_squared, dtype=float), np.asarray(noise_variance, dtype=float)
    return float(np.median(np.divide(grad, noise, out=np.zeros(np.broadcast(grad, noise).shape), where=grad != 0)))


def not_rescaled_loss(
    kappa: float,
    curvature: ArrayLike,
    noise: ArrayLike,
    lr: float,
    weight_decay: ArrayLike,
    *,
    beta1: float = 0.0,
    form: str = "paper",
) -> Number:
    """Σᵢ ½λᵢ (κη/2)/(κλᵢ/sᵢ + θ):  the stationary loss when all but θ is rescaled

    curvature (…, d), summed over its last axis; noise and lr are those before. Above the loss before, from 1 at θ = 0
    to κ for θ ≫ λ/s. "corrected" knows Adam's rescaled β₁, by `stationary_variance`: at κ = 2, θ = 20, H = (1, 2),
    s = 0.1 the loss rises to 1.51 of what it was, not to the 1.40 of the paper's form. Raises ValueError as `rescale`.
    """
    require("kappa", np.asarray(kappa), np.asarray(kappa) > 0, "> 0")
    how = {"lr": lr, "batch_size": 1, "weight_decay": 0.0, "beta1": beta1, "beta2": beta1, "eps": 0.0}
    new = rescale(kappa, **how) if beta1 else how | {"lr": kappa * lr}
    curvature, noise = np.asarray(curvature, dtype=float), np.asarray(noise, dtype=float) / kappa
    optimizer = "adam" if beta1 else "rmsprop"
    decay = np.asarray(weight_decay, dtype=float)
    return stationary_loss(optimizer, curvature, noise, new["lr"], weight_decay=decay, beta1=new["beta1"], form=form)


def _whole(x: float) -> float:
    return round(x) if math.isclose(x, round(x), rel_tol=1e-9) else x
