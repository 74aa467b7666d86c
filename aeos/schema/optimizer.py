"""Settings of the update rules and their schedules. `beta1`, `beta2` in torch's order: first moment, second moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aeos.schema.fields import at_least, nonnegative, one_of, positive, rate, setting
from aeos.theory.kadam import STRATEGIES


@dataclass
class Optimizer:
    """What every rule has: θ ← (1 − η·λ)θ − η·u with decoupled decay λ, or g ← g + λθ when `decoupled` is false."""

    name: str = "gd"
    lr: float = positive(0.1)
    weight_decay: float = nonnegative(0.0)
    decoupled: bool = True


@dataclass
class GD(Optimizer):
    name: str = "gd"
    lr: float = positive(0.4)


@dataclass
class HeavyBall(Optimizer):
    name: str = "heavy_ball"
    momentum: float = rate(0.9)


@dataclass
class EMA(Optimizer):
    name: str = "ema"
    beta1: float = rate(0.9)


@dataclass
class Nesterov(Optimizer):
    name: str = "nesterov"
    momentum: float = rate(0.9)


@dataclass
class SignSGD(Optimizer):
    name: str = "signsgd"
    lr: float = positive(1e-3)


@dataclass
class Adaptive(Optimizer):
    """What every rule with a diagonal preconditioner has: P = (ν̂ + eps_root)^½ + eps, fixed after `freeze` steps."""

    lr: float = positive(1e-3)
    eps: float = nonnegative(1e-8)
    eps_root: float = nonnegative(0.0)
    freeze: int | None = at_least(1, None, ", or null for never")


@dataclass
class RMSprop(Adaptive):
    name: str = "rmsprop"
    beta2: float = rate(0.99)
    bias_correction: bool = True


@dataclass
class ScalarRMSprop(Adaptive):
    name: str = "scalar_rmsprop"
    lr: float = positive(0.03)
    beta2: float = rate(0.99)
    bias_correction: bool = True


@dataclass
class Adagrad(Adaptive):
    name: str = "adagrad"
    lr: float = positive(0.03)


@dataclass
class Adam(Adaptive):
    name: str = "adam"
    beta1: float = rate(0.9)
    beta2: float = rate(0.999)
    bias_correction: bool = True


@dataclass
class AMSGrad(Adam):
    name: str = "amsgrad"


@dataclass
class NAdam(Adam):
    """`momentum_decay` as in torch, but 0 is none: beta1 at every step (torch's formula would halve it)."""

    name: str = "nadam"
    momentum_decay: float = nonnegative(4e-3)


@dataclass
class Padam(Adam):
    name: str = "padam"
    lr: float = positive(0.03)
    power: float = setting(0.25, lambda x: 0 < x <= 0.5, "in (0, 0.5]")


@dataclass
class KAdam(Optimizer):
    """k normalizations in a row. `stages`, a list of [beta1, beta2] pairs, overrides k, beta1, beta2 and strategy."""

    name: str = "kadam"
    lr: float = positive(1e-3)
    eps: float = nonnegative(1e-8)
    k: int = at_least(1, 2)
    strategy: str = one_of(tuple(STRATEGIES), "uniform")
    beta1: float = rate(0.9)
    beta2: float = rate(0.999)
    stages: Any = field(default=None)

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        if node.stages is None:
            return
        try:
            pairs = [(float(b1), float(b2)) for b1, b2 in node.stages]
        except (TypeError, ValueError):
            pairs = []
        if not pairs or not all(0 <= b < 1 for pair in pairs for b in pair):
            yield f"stages={node.stages}: must be a list of [beta1, beta2] pairs, each in [0, 1)"


OPTIMIZERS = (
    GD,
    HeavyBall,
    EMA,
    Nesterov,
    SignSGD,
    RMSprop,
    ScalarRMSprop,
    Adagrad,
    Adam,
    AMSGrad,
    NAdam,
    Padam,
    KAdam,
)


@dataclass
class Constant:
    name: str = "constant"


@dataclass
class WarmupCosine:
    """Linear up to 1 over `warmup` steps, none of them 0, then half a cosine down to `final` at the last step."""

    name: str = "warmup_cosine"
    warmup: int = at_least(0, 0)
    final: float = nonnegative(0.0)


@dataclass
class Power:
    """(1 + rate·k)^(−p); rate = lr is (1 + t)^(−p) in the time t = lr·k of SDEs."""

    name: str = "power"
    p: float = nonnegative(0.5)
    rate: float = positive(1.0)


SCHEDULES = (Constant, WarmupCosine, Power)
