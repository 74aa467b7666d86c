"""The SDEs of RMSprop(W) and Adam(W): the newer ones, with the signal in the second moment, and the prior ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from aeos.dynamics.sde.base import Sde, Step
from aeos.dynamics.sde.noise import Variance, noisy_
from aeos.optimizers.rules.adaptive import divisor


@dataclass
class SdeRMSprop(Sde):
    """dX = −P⁻¹(∇L dt + √η Σ^½ dW) − λX dt,  dV = ρ(∇L² + diag Σ − V) dt,  P = (V/ι + eps_root)^½ + eps

    ρ = (1 − β₂)/η; ι = 1 − e^(−ρt) with bias correction, else 1; λ the decoupled decay. Form prior: without ∇L² in
    V, as if noise were all; P is then too small, and steps too long, where there is signal.
    arXiv 2411.15958, the SDE of RMSpropW; prior: arXiv 2205.10287 with its time τ = ηt and σ = σ₀/η put back.
    """

    rule_name: ClassVar = "rmsprop"
    forms: ClassVar[tuple[str, ...]] = ("new", "prior")
    averages: ClassVar[tuple[str, ...]] = ("v",)

    def move(self, theta: Tensor, memory: dict[str, Tensor], step: Step) -> None:
        gradient, variance, z, free = self.oracle(theta)
        self.decay_(theta, step)
        root = math.sqrt(self.weight(self.rule.beta2, step))
        p = self.divisor_(memory["v"], gradient, variance, step, root, free)
        theta.addcdiv_(noisy_(z, gradient, variance, math.sqrt(1 / step.h)), p, value=-step.lr * step.h * root)

    def divisor_(
        self, v: Tensor, gradient: Tensor, variance: Variance, step: Step, root: float, free: Tensor
    ) -> Tensor:
        """root·P = (V + root²·eps_root)^½ + root·eps at the end of the step, V moved there; root = √ι. In `free`."""
        rate = (1 - float(self.rule.beta2)) * step.h
        if self.form == "prior":
            v.lerp_(variance, rate) if isinstance(variance, Tensor) else v.mul_(1 - rate).add_(rate * variance)
        else:
            v.lerp_(torch.mul(gradient, gradient, out=free).add_(variance), rate)
        return divisor(v, 1.0, root * float(self.rule.eps), root**2 * float(self.rule.eps_root), out=free)

    def weight(self, rate: float, step: Step) -> float:
        """ι at the end of the step."""
        return -math.expm1(-(1 - rate) * step.end) if self.rule.bias_correction else 1.0


@dataclass
class SdeAdam(SdeRMSprop):
    """dX = −(√ι₂/ι₁) P⁻¹(M + ηρ₁(∇L − M)) dt − λX dt,  P = √V + eps·√ι₂,  ι_i = 1 − e^(−ρ_i t)
    dM = ρ₁(∇L − M) dt + √η ρ₁ Σ^½ dW,  dV = ρ₂(∇L² + diag Σ − V) dt

    ρ_i = (1 − β_i)/η. Forms: new as printed above. lagged: without ηρ₁(∇L − M), the part of the optimizer's newest
    average that M lags behind: worse at the start, but its stationary variance is the optimizer's, where new has
    2(1 − β₁) less (0.80 of it at β₁ = 0.9). noisy: that part with the noise it brings, −√η ηρ₁ P⁻¹Σ^½ dW, of the same
    dW. prior: lagged, without ∇L² in V.
    arXiv 2411.15958, the SDE of AdamW; prior: arXiv 2205.10287; lagged and noisy are ours.
    """

    rule_name: ClassVar = "adam"
    forms: ClassVar[tuple[str, ...]] = ("new", "prior", "lagged", "noisy")
    averages: ClassVar[tuple[str, ...]] = ("m", "v")

    def move(self, theta: Tensor, memory: dict[str, Tensor], step: Step) -> None:
        gradient, variance, z, free = self.oracle(theta)
        m, pull = memory["m"], 1 - float(self.rule.beta1)
        self.decay_(theta, step)
        root = math.sqrt(self.weight(self.rule.beta2, step))
        p = self.divisor_(memory["v"], gradient, variance, step, root, free)
        fresh = noisy_(z, gradient, variance, math.sqrt(1 / step.h))
        ahead = pull if self.form in ("new", "noisy") else 0.0
        factor = -step.lr * step.h * root / self.weight(self.rule.beta1, step)
        theta.addcdiv_(m, p, value=factor * (1 - ahead))  # M + ηρ₁(∇L − M) in two terms: nothing is allocated
        if ahead:
            theta.addcdiv_(fresh if self.form == "noisy" else gradient, p, value=factor * ahead)
        m.lerp_(fresh, pull * step.h)
