"""Minibatches and noise as pure functions of (seed, step): nothing to checkpoint, the same on every device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


class Batches:
    """indices(k) = the (k mod m)-th block of `batch_size` entries of epoch ⌊k/m⌋'s permutation, m = ⌊size/batch_size⌋

    Without replacement within an epoch; an incomplete last block is dropped, so every batch weighs the same.
    The permutation of an epoch depends on (seed, epoch) alone.
    """

    def __init__(self, size: int, batch_size: int, seed: int) -> None:
        if not 1 <= batch_size <= size:
            raise ValueError(f"batch_size={batch_size}: must be between 1 and {size}")
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.per_epoch = size // batch_size
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def indices(self, step: int) -> Tensor:
        """(batch_size,) int64 on the CPU: the samples of step k = 0, 1, …, in any order of asking."""
        epoch, block = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
            self._epoch, self._order = epoch, torch.from_numpy(order)
        return self._order[block * self.batch_size : (block + 1) * self.batch_size]


@dataclass(frozen=True)
class GradientNoise:
    """σ·z_k, z_k ~ N(0, I) of shape (d,), drawn anew at every step k; all members of an ensemble get the same"""

    scale: float
    seed: int

    def __call__(self, step: int, gradient: Tensor) -> Tensor:
        """(d,), in the gradient's precision and on its device."""
        drawn = np.random.default_rng([self.seed, step, 1]).standard_normal(gradient.shape[-1])
        return torch.from_numpy(self.scale * drawn).to(gradient)
