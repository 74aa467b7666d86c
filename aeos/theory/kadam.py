"""How k-Adam divides the averaging rates of one Adam among its k normalizations."""

from __future__ import annotations

from collections.abc import Callable

# Exponents w_1 … w_k of `stages`; all but naive sum to 1.
STRATEGIES: dict[str, Callable[[int], list[float]]] = {
    "naive": lambda k: [1.0] * k,
    "uniform": lambda k: [1 / k] * k,
    "exp": lambda k: [2.0**i / (2**k - 1) for i in range(k)],
    "inverse_exp": lambda k: [2.0**i / (2**k - 1) for i in reversed(range(k))],
}


def share(rate: float, weight: float) -> float:
    """1 − (1 − rate)^weight: the rate of one of several averages that divide the work of one."""
    return 1 - (1 - rate) ** weight


def weights(strategy: str, k: int) -> list[float]:
    """w₁, …, wₖ of `stages`. Raises ValueError for an unknown strategy and for k < 1."""
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy}: must be one of {', '.join(STRATEGIES)}")
    if k < 1:
        raise ValueError(f"k={k}: must be >= 1")
    return STRATEGIES[strategy](k)


def stages(strategy: str, k: int, beta1: float, beta2: float) -> list[tuple[float, float]]:
    """1 − β₁ᵢ = (1 − β₁)^wᵢ,  1 − β₂ᵢ = (1 − β₂)^wᵢ:  [(β₁₁, β₂₁), …, (β₁ₖ, β₂ₖ)], first stage first.

    uniform: wᵢ = 1/k; exp: wᵢ ∝ 2^i, the last stage remembers longest; inverse_exp: the first does. Σwᵢ = 1 keeps the
    product of the 1 − βᵢ, the weight of the newest gradient. naive: wᵢ = 1, every stage has Adam's own rates.
    k = 1 is Adam whatever the strategy. Raises ValueError for an unknown strategy and for k < 1.

    k-Adam is Definition 3 of Gould & Tanaka, arXiv 2411.05746; the strategies' formulas are our reading.
    """
    return [(share(beta1, w), share(beta2, w)) for w in weights(strategy, k)]
