"""Minibatches and noise as pure functions of (seed, step): nothing to checkpoint, the same on every device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


class Batches:
    """indices(k) = the (k mod m)-th block of `batch_size` entries of epoch ⌊k/m⌋'s permutation, m = ⌊size/batch_size⌋

    Without replacement within an epoch; an incomplete last block is dropped, so every batch weighs the same.
    The permutation of an epoch depends on (seed, epoch) alone. With `members`, each member i of an ensemble has its
    own, a function of (seed, epoch, i): independent, and the same however many members there are.
    """

    def __init__(self, size: int, batch_size: int, seed: int, members: int | None = None) -> None:
        if not 1 <= batch_size <= size:
            raise ValueError(f"batch_size={batch_size}: must be between 1 and {size}")
        self.size, self.batch_size, self.seed, self.members = size, batch_size, seed, members
        self.per_epoch = size // batch_size
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def indices(self, step: int) -> Tensor:
        """(batch_size,) or (members, batch_size) int64 on the CPU: the samples of step k = 0, 1, …, in any order."""
        epoch, block = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, torch.from_numpy(self._permutation(epoch))
        return self._order[..., block * self.batch_size : (block + 1) * self.batch_size]

    def _permutation(self, epoch: int) -> np.ndarray:
        if self.members is None:
            return np.random.default_rng([self.seed, epoch]).permutation(self.size)
        streams = (np.random.default_rng([self.seed, epoch, 2, member]) for member in range(self.members))
        return np.stack([stream.permutation(self.size) for stream in streams])


@dataclass(frozen=True)
class GradientNoise:
    """σ·z_k, the entries of z_k independent ~ t_ν (ν = ∞: N(0, 1)), drawn anew at every step k

    σ = `scale` is the standard deviation for ν = ∞, and σ√(ν/(ν − 2)) is it for ν > 2; there is none for ν ≤ 2.
    All members of an ensemble get the same, or each its own where not `shared`: the same however many there are.
    """

    scale: float
    seed: int
    nu: float = math.inf
    shared: bool = True

    def __call__(self, step: int, gradient: Tensor) -> Tensor:
        """(d,), or the gradient's shape where not shared; in its precision and on its device."""
        stream = np.random.default_rng([self.seed, step, 1])
        shape = gradient.shape[-1:] if self.shared else gradient.shape
        drawn = stream.standard_normal(shape) if math.isinf(self.nu) else stream.standard_t(self.nu, shape)
        return torch.from_numpy(self.scale * drawn).to(gradient)
