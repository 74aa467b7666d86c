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
    if y.ndim > 1:
        counted = (y >= 0).flatten()
        outputs, y = outputs.flatten(0, -2)[counted], y.flatten()[counted]
    target = torch.zeros(outputs.shape, dtype=outputs.dtype, device=y.device).scatter_(1, y[:, None], 1.0)
    return functional.mse_loss(outputs, target, reduction="sum") / (2 * len(y))


CRITERIA: dict[str, Criterion] = {"ce": cross_entropy, "mse": squared_error}
