"""The optimizers that torch lacks, as torch.optim classes. `weight_decay` λ is decoupled: θ ← (1 − ηλ)θ − η·u."""

from __future__ import annotations

from collections.abc import Sequence

from aeos.optimizers import rules
from aeos.optimizers.torch_optim import FromRule, Params, pair


class KAdam(FromRule):
    """x₀ = g;  xᵢ = m̂ᵢ/(√v̂ᵢ + eps) with averages of xᵢ₋₁ and xᵢ₋₁² at stage i's betas;  u = xₖ

    `betas` = (beta1, beta2) is divided among k stages by `strategy`: naive, uniform, exp or inverse_exp. `stages`,
    [(beta1_1, beta2_1), …] with the first stage first, says them outright and overrides k, betas and strategy.
    k = 1 is torch.optim.AdamW. Tune lr anew for each k. Raises BadInput for settings out of range.

    Gould & Tanaka, arXiv 2411.05746, Definition 3; aeos.optimizers.rules.KAdam says what in it is our reading.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        k: int = 2,
        strategy: str = "uniform",
        stages: Sequence[tuple[float, float]] | None = None,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        beta1, beta2 = pair(betas)
        rule = rules.KAdam(
            lr=lr,
            weight_decay=weight_decay,
            eps=eps,
            k=k,
            strategy=strategy,
            beta1=beta1,
            beta2=beta2,
            stages=stages,
        )
        super().__init__(params, rule)


class SignSGD(FromRule):
    """u = sign(g), sign(0) = 0

    Bernstein et al., arXiv 1802.04434. Raises BadInput for settings out of range.
    """

    def __init__(self, params: Params, lr: float = 1e-3, weight_decay: float = 0.0) -> None:
        super().__init__(params, rules.SignSGD(lr=lr, weight_decay=weight_decay))


class EMAMomentum(FromRule):
    """m ← βm + (1 − β)g,  u = m,  β = momentum

    torch.optim.SGD's momentum lacks the 1 − β: lr here is its lr/(1 − β). Raises BadInput for settings out of range.
    """

    def __init__(self, params: Params, lr: float = 1e-3, momentum: float = 0.9, weight_decay: float = 0.0) -> None:
        super().__init__(params, rules.EMA(lr=lr, beta1=momentum, weight_decay=weight_decay))


class RMSpropW(FromRule):
    """v ← αv + (1 − α)g²,  u = g/(√v + eps)

    torch.optim.RMSprop with decoupled weight decay; `bias_correction` divides v by 1 − αᵗ, which torch does not.
    Raises BadInput for settings out of range.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        bias_correction: bool = False,
    ) -> None:
        rule = rules.RMSprop(lr=lr, beta2=alpha, eps=eps, weight_decay=weight_decay, bias_correction=bias_correction)
        super().__init__(params, rule)


class ScalarRMSprop(FromRule):
    """v ← αv + (1 − α)‖g‖²,  u = g/(√v + eps), one v for a whole parameter group

    ‖g‖ is the norm of all gradients of the group together, not of each tensor: two groups have two step sizes, and
    splitting a tensor changes nothing. A group lives on one device. Raises BadInput for settings out of range.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 0.03,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        bias_correction: bool = True,
    ) -> None:
        rule = rules.ScalarRMSprop(
            lr=lr, beta2=alpha, eps=eps, weight_decay=weight_decay, bias_correction=bias_correction
        )
        super().__init__(params, rule)


class Padam(FromRule):
    """u = m̂/(v̂^power + eps), m̂ and v̂ as in Adam; power in (0, ½], where ½ is torch.optim.AdamW

    Chen et al., arXiv 1806.06763, without AMSGrad's maximum. Raises BadInput for settings out of range.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 0.03,
        betas: tuple[float, float] = (0.9, 0.999),
        power: float = 0.25,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        beta1, beta2 = pair(betas)
        rule = rules.Padam(lr=lr, beta1=beta1, beta2=beta2, power=power, eps=eps, weight_decay=weight_decay)
        super().__init__(params, rule)
