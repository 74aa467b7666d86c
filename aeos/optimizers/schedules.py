"""Schedules: pure functions of the step that multiply the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """1"""

    def __call__(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True)
class WarmupCosine:
    """(k + 1)/(w + 1) while k < w = warmup, then f + (1 − f)·½(1 + cos πr), r = (k − w)/(steps − 1 − w), f = final

    k = 0 is the first step. The factor is 1 at k = w, `final` at the last step k = steps − 1 and ever after, and never
    0 on the way up: no step is without effect (nanoGPT's convention).
    """

    warmup: int = 0
    final: float = 0.0
    steps: int = 1

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        done = min(1.0, (step - self.warmup) / max(1, self.steps - 1 - self.warmup))
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Power:
    """(1 + r·k)^(−p), r = rate, k = 0 at the first step"""

    p: float = 0.5
    rate: float = 1.0

    def __call__(self, step: int) -> float:
        return (1 + self.rate * step) ** -self.p
