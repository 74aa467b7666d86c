"""A problem: a scalar loss of one flat vector, where it starts, what it is trained on, and what is reported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aeos.problems.moments import SPACE, Moments, per_sample
from aeos.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Batch:
    """Samples a loss is averaged over; x and y share their first axis.

    `each`: one batch for each member of an ensemble, x and y (members, b, …).
    """

    x: Tensor
    y: Tensor
    each: bool = False

    def __len__(self) -> int:
        return self.x.shape[1 if self.each else 0]

    def member(self, index: int) -> Batch:
        """What one member is trained on: its own batch, or the one that all share."""
        return Batch(self.x[index], self.y[index]) if self.each else self

    def part(self, which: slice) -> Batch:
        """These of its samples."""
        return Batch(self.x[which], self.y[which])

    def split(self, most: int) -> list[Batch]:
        """Consecutive pieces of nearly equal length, none above `most`."""
        count = -(-len(self) // most)
        return [Batch(x, y) for x, y in zip(self.x.tensor_split(count), self.y.tensor_split(count), strict=True)]


#: Builds (Lᵢ with its graph, the leaves that make up θ in order): a share of a loss, differentiable as often as it is.
Piece = Callable[[], tuple[Tensor, Sequence[Tensor]]]


class Problem(ABC):
    """loss(θ, batch) → (), θ of shape (d,). `batch=None` is the full training set (the only choice where `size` is 0).

    Attributes: `dim` d; `size` number of training samples, 0 for an analytic function; `chunk` how many of them are
    taken at a time at most (None: no bound), and `graphs` of how many such pieces a Hessian keeps the graphs at once;
    `ranks` the processes that share the samples; `device` and `dtype` of θ.
    """

    dim: int
    size: int = 0
    chunk: int | None = None
    graphs: int = 16
    ranks: Ranks = ALONE
    device: torch.device
    dtype: torch.dtype

    @abstractmethod
    def init(self, seed: int) -> Tensor:
        """θ₀, shape (d,): a fresh tensor, a function of the seed alone; leaves torch's global generator as it was."""

    @abstractmethod
    def loss(self, theta: Tensor, batch: Batch | None = None) -> Tensor:
        """(): differentiable as often as the model is; works under torch.func transforms."""

    def batch(self, indices: Tensor) -> Batch:
        """The training samples with these indices, shape (b,); (members, b) gives each member its own batch."""
        raise ValueError("this problem has no samples")

    def value(self, theta: Tensor, batch: Batch | None = None) -> Tensor:
        """(): the loss, or (points,) for an ensemble θ (points, d), each on its own batch where it has one."""
        if theta.ndim == 1:
            return self.loss(theta, batch)
        if batch is not None and batch.each:
            return torch.func.vmap(lambda one, x, y: self.loss(one, Batch(x, y)))(theta, batch.x, batch.y)
        return torch.func.vmap(lambda one: self.loss(one, batch))(theta)

    def value_and_gradient(self, theta: Tensor, batch: Batch | None = None) -> tuple[Tensor, Tensor]:
        """(L, ∇L): shapes () and (d,), or (points,) and (points, d); members do not interact, so ∇Σ is their own."""
        theta = theta.detach().requires_grad_()
        value = self.value(theta, batch)
        (gradient,) = torch.autograd.grad(value.sum(), theta)
        return value.detach(), gradient

    def gradient_moments(self, theta: Tensor, samples: Tensor | None = None) -> Moments:
        """L, ∇L and E_n[g_n²] over all training samples, or those with these indices (n,); θ (d,) or (points, d)

        From single samples' gradients; a loss that is not the mean of its samples' own has none (Network: BadInput).
        """
        if theta.ndim > 1:
            return Moments.stacked(self.gradient_moments(one, samples) for one in theta)
        batch = self.batch(torch.arange(self.size) if samples is None else samples)
        most = max(1, SPACE // (self.dim * theta.element_size()))
        return Moments.pooled(
            (len(piece) / len(batch), per_sample(lambda at, x, y: self.loss(at, Batch(x, y)), theta, piece.x, piece.y))
            for piece in batch.split(min(most, self.chunk or most))
        )

    def pieces(self, theta: Tensor, batch: Batch | None = None) -> list[tuple[float, Piece]]:
        """(wᵢ, build Lᵢ) with Σ wᵢLᵢ = L at one θ (d,): one, or as many as keep memory small; they share θ's memory.

        The sum runs over those of all `ranks`, of which each has its own.
        """
        leaf = theta.detach().requires_grad_()
        return [(1.0, lambda: (self.loss(leaf, batch), [leaf]))]

    def metrics(self, theta: Tensor) -> dict[str, float]:
        """train_loss and, where they exist, train_accuracy, test_loss, test_accuracy at one θ (d,)."""
        with torch.no_grad():
            return {"train_loss": self.loss(theta).item()}

    def scores(self, theta: Tensor) -> dict[str, Tensor]:
        """`metrics` of each member of an ensemble θ (points, d): float64 tensors (points,)."""
        rows = [self.metrics(one) for one in theta]
        return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in rows[0]}

    def scale_invariant(self) -> dict[str, slice]:
        """name → slice of θ, one a matrix W with L(ρW) = L(W) for every ρ > 0; {} where none is known."""
        return {}

    def work(self, batch: Batch | None = None) -> float:
        """Floating-point operations of one forward pass, roughly: what decides how many threads pay."""
        return 0.0

    def provenance(self) -> dict[str, object]:
        """What identifies the data beyond the config (sizes, content hash), for env.json; {} where there is none."""
        return {}
