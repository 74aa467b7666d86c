"""Losses of a network's outputs (b, classes) or (b, t, classes) against labels (b,) or (b, t); y < 0 does not count."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Criterion = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    """−log softmax(f)_y, the mean over counted labels: ()"""
    return functional.cross_entropy(outputs.flatten(0, -2), y.flatten())


def squared_error(outputs: Tensor, y: Tensor) -> Tensor:
    """½ Σ_c (f_c − 1[c = y])², the mean over counted labels: ()"""
    target = (y[..., None] == torch.arange(outputs.shape[-1], device=y.device)).to(outputs.dtype)
    if y.ndim == 1:
        return functional.mse_loss(outputs, target, reduction="sum") / (2 * len(y))
    counted = y >= 0
    error = torch.where(counted[..., None], outputs - target, 0.0)
    return error.square().sum() / (2 * counted.sum())


CRITERIA: dict[str, Criterion] = {"ce": cross_entropy, "mse": squared_error}
