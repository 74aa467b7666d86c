"""Activations and normalizations whose first three derivatives are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Activation] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "elu": functional.elu,
    "softplus": functional.softplus,
    "hardtanh": functional.hardtanh,
    "identity": lambda x: x,
}


class LayerNorm(nn.Module):
    """(x − μ)/√(σ² + ε)·weight + bias over the last axis of x (…, width)

    Computed as a group norm with one group a position: torch's fused layer norm has a wrong third derivative.
    """

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(len(x), -1, x.shape[-1])
        normal = functional.group_norm(rows, rows.shape[1], eps=self.eps).view(x.shape)
        return torch.addcmul(self.bias, normal, self.weight)


class BatchNorm(nn.Module):
    """(x − μ)/√(σ² + ε)·weight + bias for each channel of x (samples, channels, …)

    μ, σ² are those of the batch at hand, with no running averages, so the output depends on x and the parameters alone;
    inside `population_statistics` they are those of a whole training set. Computed as a group norm of the transpose:
    torch's fused batch norm has a wrong third derivative (and is slower).
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)), eps
        self.gathered: list[tuple[int, Tensor, Tensor]] | None = None
        self.population: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.population is not None:
            return functional.batch_norm(x, *self.population, self.weight, self.bias, eps=self.eps)
        rows = x.transpose(0, 1)
        if self.gathered is not None:
            flat = rows.flatten(1)
            self.gathered.append((flat.shape[1], flat.mean(1), flat.square().mean(1)))
        flat = rows.reshape(1, len(rows), -1)
        return functional.group_norm(flat, len(rows), self.weight, self.bias, self.eps).view(rows.shape).transpose(0, 1)

    def settle(self) -> None:
        """population ← exact pooled mean and (biased) variance of what the gathering passes saw."""
        counts, means, squares = zip(*(self.gathered or ()), strict=True)
        weights = means[0].new_tensor(counts) / sum(counts)
        mean, square = (torch.stack(parts, 1) @ weights for parts in (means, squares))
        self.population = mean, (square - mean.square()).clamp_min(0)


@contextmanager
def population_statistics(model: nn.Module, passes: Callable[[], None]) -> Iterator[None]:
    """Batch norms use the statistics of the samples that `passes()` runs through the model, until the block ends.

    Each pass normalizes by its own statistics; the pooled ones are therefore exact for one pass and, for several,
    exact up to the passes' influence on deeper layers.
    """
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    try:
        for norm in norms:
            norm.gathered = []
        if norms:
            passes()
        for norm in norms:
            norm.settle()
        yield
    finally:
        for norm in norms:
            norm.gathered = norm.population = None
