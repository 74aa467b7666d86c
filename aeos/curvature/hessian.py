"""The Hessian of a loss as a linear operator: products from a gradient whose graph is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from aeos.errors import BadInput

Loss = Callable[[Tensor], Tensor]  # θ (d,) → ()
Operator = Callable[[Tensor], Tensor]  # symmetric: v (d,) → (d,)
Piece = Callable[[], tuple[Tensor, Sequence[Tensor]]]  # → (Lᵢ with its graph, the leaves that make up θ in order)
Total = Callable[..., Sequence[Tensor]]  # of tensors, each summed over all who have pieces


def alone(*parts: Tensor) -> Sequence[Tensor]:
    """The total of what nobody else has a share of."""
    return parts


def at(loss: Loss, theta: Tensor) -> Piece:
    """The piece that a plain loss(θ) is at θ (d,)."""
    leaf = theta.detach().requires_grad_()
    return lambda: (loss(leaf), [leaf])


class Hessian:
    """v ↦ Hv,  H = ∇²L(θ),  L = Σᵢ wᵢLᵢ;  v (d,) → (d,), or (k, d) → (k, d)

    By double backward: the graph of ∇L is built once, here, and each product walks it once. `value` () and `gradient`
    (d,) come with it, so a training step at θ has paid for it already; `gradient` equals a plain backward pass to the
    bit, except where torch differentiates an operation (group norm) in another way when a graph is wanted.

    `pieces` are (wᵢ, build) pairs whose sum is L, for example the chunks of a data set; with `retain` off each graph is
    built anew in each product, so that one chunk lies in memory at a time. Where other processes have pieces too,
    `together` adds up what each found: once at the start, once a product. Products use θ as it is: change it in place
    and they are refused by torch.

    Raises BadInput when L or its gradient does not depend on θ, or something in it has no second derivative.
    """

    def __init__(
        self, pieces: Sequence[tuple[float | Tensor, Piece]], retain: bool = True, together: Total = alone
    ) -> None:
        self._pieces, self._graphs, self._together = pieces, [], together
        total: list[Tensor] = []
        for weight, build in pieces:
            graph = Graph.of(build)
            parts = graph.value.detach(), graph.gradient()
            if not total:
                total = [weight * part for part in parts]
            else:
                total = [one.add_(weight * part) for one, part in zip(total, parts, strict=True)]
            if retain:
                self._graphs.append(graph)
            del graph  # or it would live on while the next one is built
        self.value, self.gradient = together(*total)

    @classmethod
    def of(cls, loss: Loss, theta: Tensor) -> Hessian:
        """The Hessian of a plain loss at θ (d,)."""
        return cls([(1.0, at(loss, theta))])

    def __call__(self, v: Tensor) -> Tensor:
        if v.ndim == 2:  # a loop: torch's batched backward is 2–5 times slower where there are convolutions
            return torch.stack([self(row) for row in v]) if len(v) else torch.empty_like(v)
        if v.shape != self.gradient.shape:
            raise BadInput(f"v has shape {tuple(v.shape)}: a Hessian-vector product needs {tuple(self.gradient.shape)}")
        return self.total(lambda graph: graph.product(v))

    def total(self, of: Callable[[Graph], Tensor]) -> Tensor:
        """Σᵢ wᵢ·of(graph of Lᵢ); where no graphs are kept, one is in memory at a time."""
        parts = (
            weight * of(self._graphs[number] if self._graphs else Graph.of(build))
            for number, (weight, build) in enumerate(self._pieces)
        )
        (total,) = self._together(reduce(Tensor.add_, parts))
        return total


@dataclass(frozen=True)
class Graph:
    """One piece with the graph of its gradient; `slopes` are None where a leaf is not used."""

    value: Tensor
    leaves: Sequence[Tensor]
    slopes: Sequence[Tensor | None]

    @classmethod
    @torch.enable_grad()
    def of(cls, build: Piece) -> Graph:
        value, leaves = build()
        if value.ndim:
            raise BadInput(f"loss returned a tensor of shape {tuple(value.shape)}: it must return one number")
        if not value.requires_grad:
            raise BadInput("the loss does not depend on theta: there is no curvature to measure")
        slopes = torch.autograd.grad(value, leaves, create_graph=True, allow_unused=True)
        if not any(slope is not None and slope.requires_grad for slope in slopes):
            used = any(slope is not None for slope in slopes)
            what = "the gradient of the loss" if used else "the loss"
            raise BadInput(f"{what} does not depend on theta: there is no curvature to measure")
        refuse_silent(slopes, "twice")
        return cls(value, leaves, slopes)

    def gradient(self) -> Tensor:
        return self._flat([None if slope is None else slope.detach() for slope in self.slopes])

    def product(self, v: Tensor, again: bool = False) -> Tensor:
        """Hᵢv (d,); `again` keeps its graph, so that `derivative` can follow."""
        parts = v.split([leaf.numel() for leaf in self.leaves])
        ends, along = [], []
        for slope, part in zip(self.slopes, parts, strict=True):
            if slope is not None and slope.requires_grad:
                ends.append(slope)
                along.append(part.view_as(slope))
        return self._backward(ends, along, "twice", again)

    def derivative(self, end: Tensor, along: Tensor) -> Tensor:
        """(d,): the derivative of end·along, where `end` (d,) is a product that kept its graph."""
        return self._backward([end], [along], "three times") if end.requires_grad else torch.zeros_like(end)

    def _backward(self, ends: list[Tensor], along: list[Tensor], times: str, again: bool = False) -> Tensor:
        try:
            parts = torch.autograd.grad(
                ends, self.leaves, along, retain_graph=True, create_graph=again, allow_unused=True
            )
        except RuntimeError as error:
            if "derivative" in str(error) or "differentiate" in str(error):
                line = str(error).splitlines()[0]
                raise BadInput(f"the loss is not {times} differentiable in torch: {line}") from error
            raise
        if again:
            refuse_silent(parts, "three times")
        return self._flat(parts)

    def _flat(self, parts: Sequence[Tensor | None]) -> Tensor:
        found = [
            torch.zeros_like(leaf) if part is None else part for leaf, part in zip(self.leaves, parts, strict=True)
        ]
        return found[0].view(-1) if len(found) == 1 else torch.cat([part.reshape(-1) for part in found])


#: Nodes of a graph that torch cannot differentiate, or does wrongly, without a word: of a gradient's, of a product's.
ENDS = {"torch::autograd::Error": "the backward of an operation in it has no derivative"}
SILENT = {
    "twice": ENDS | {"WeightNormInterfaceBackward0": "torch's weight_norm has a wrong second derivative"},
    "three times": ENDS | {"NativeLayerNormBackward0": "torch's layer norm has a wrong third derivative"},
}


def refuse_silent(tensors: Sequence[Tensor | None], times: str) -> None:
    """Raise BadInput where the next derivative of these would be wrong: a walk, a few per cent of a product's time.

    What leads to a backward marked once_differentiable would be left out. Where such an operation is the very last of a
    loss it leaves no trace, and this does not see it.
    """
    ahead = [tensor.grad_fn for tensor in tensors if tensor is not None and tensor.grad_fn is not None]
    seen = set(ahead)
    while ahead:
        node = ahead.pop()
        if (name := node.name()) in SILENT[times]:
            raise BadInput(f"the loss is not {times} differentiable in torch: {SILENT[times][name]}")
        new = {one for one, _ in node.next_functions if one is not None} - seen
        seen |= new
        ahead += new


@dataclass(frozen=True)
class Preconditioned:
    """v ↦ P^{-½}(H + ρI)P^{-½}v,  P diagonal: same eigenvalues as P⁻¹(H + ρI), but symmetric

    `p`: diagonal of P, shape (d,) or (1,); ∞ marks a coordinate that does not move. `ridge` ρ is an L2 penalty's part
    of the Hessian. Raises BadInput when P has an entry that is not positive.
    """

    hessian: Operator
    p: Tensor
    ridge: float = 0.0

    def __post_init__(self) -> None:
        if not bool((self.p > 0).all()):
            raise BadInput("preconditioner: every entry of P must be positive; set optimizer.eps above 0")
        object.__setattr__(self, "root", self.p.rsqrt())

    root: Tensor = None  # type: ignore[assignment]

    def __call__(self, v: Tensor) -> Tensor:
        u = self.root * v
        product = self.hessian(u)
        return self.root * (product.add_(u, alpha=self.ridge) if self.ridge else product)


def hvp(loss: Loss, theta: Tensor, v: Tensor) -> Tensor:
    """∇²L(θ)v;  θ (d,), v (d,) → (d,), or v (k, d) → (k, d)

    For many products at one θ keep a `Hessian` instead. Raises BadInput as `Hessian` does.
    """
    return Hessian.of(loss, theta)(v)
