"""The first two moments of the samples' gradients: what the noise of a minibatch is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

SPACE = 16 << 20  # bytes that the gradients of single samples take at once


class Moments(NamedTuple):
    """L = E_n[ℓ_n] (), ∇L = E_n[g_n] (d,) and E_n[g_n²] (d,), entry by entry; g_n = ∇ℓ_n of sample n

    Of an ensemble: (points,), (points, d) and (points, d).
    """

    value: Tensor
    mean: Tensor
    mean_square: Tensor

    @classmethod
    def stacked(cls, members: Iterable[Moments]) -> Moments:
        return cls(*map(torch.stack, zip(*members, strict=True)))

    @classmethod
    def pooled(cls, parts: Iterable[tuple[float, Moments]]) -> Moments:
        """Σ wᵢ·momentsᵢ: those of all samples, from parts that are a share wᵢ of them."""
        (weight, first), *others = parts
        total = cls(*(weight * part for part in first))
        for weight, moments in others:
            for entry, part in zip(total, moments, strict=True):
                entry.add_(part, alpha=weight)
        return total


def per_sample(loss: Callable[[Tensor, Tensor, Tensor], Tensor], theta: Tensor, x: Tensor, y: Tensor) -> Moments:
    """From the gradient of each sample alone, at one θ (d,); `loss`: θ, x (1, …), y (1, …) → ()"""
    slope = grad_and_value(lambda theta, x, y: loss(theta, x[None], y[None]))
    gradients, values = vmap(slope, (None, 0, 0))(theta.detach(), x, y)
    return Moments(values.mean(), gradients.mean(0), gradients.square_().mean(0))


def layerwise(
    parts: Sequence[Tensor],
    activation: Callable[[Tensor], Tensor],
    criterion: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
) -> Moments:
    """ḡ_W = δᵀa/N, E[g_W²] = (δ²)ᵀ(a²)/N, ḡ_b = E δ, E[g_b²] = E δ²: linear layers with the activation between them

    a (N, inputs) goes into a layer, δ (N, outputs) is what each sample's own loss has as derivative in its output: a
    sample's gradient in W is the outer product of its rows. One pass for the whole ensemble, one product a layer more
    than a gradient takes. `parts`: W (points, outputs, inputs) and b (points, outputs) of each layer in turn; x (N, …);
    `criterion`: outputs (N, classes), y (N,) → (), their mean loss.
    """
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    layers = list(zip(parts[::2], parts[1::2], strict=True))
    a = x.flatten(1)
    for weight, bias in layers:
        inputs.append(a.detach())
        z = torch.baddbmm(bias.detach()[:, None], a.expand(len(weight), -1, -1), weight.detach().mT)
        outputs.append(z if z.requires_grad else z.requires_grad_())
        a = activation(z)
    values = vmap(criterion, (0, None))(outputs[-1], y)
    mean, mean_square = [], []
    for a, delta in zip(inputs, torch.autograd.grad(values.sum(), outputs), strict=True):
        square = delta.square()
        mean += [(delta.mT @ a).flatten(1), delta.sum(1)]
        mean_square += [(square.mT @ a.square()).flatten(1), square.sum(1)]
    # the deltas are those of the mean, a factor N below each sample's own
    return Moments(values.detach(), torch.cat(mean, 1), torch.cat(mean_square, 1).mul_(len(x)))
