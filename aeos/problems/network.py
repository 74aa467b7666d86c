"""A network as a problem: model × data × criterion, seen as one loss of one flat vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from aeos.errors import BadInput
from aeos.problems.base import Batch, Piece, Problem
from aeos.problems.criteria import Criterion
from aeos.problems.data.dataset import Dataset
from aeos.problems.models.build import seeded
from aeos.problems.models.mlp import MLP
from aeos.problems.models.parts import BatchNorm, population_statistics
from aeos.problems.moments import Moments, layerwise

SHARED = 3e7  # operations of a member's forward pass above which vmap costs more than it saves (measured: up to 3×)
POOLED = 1000  # samples a pass at most when batch norms collect their statistics


class Network(Problem):
    """L(θ) = mean over the batch's samples (sequences: counted positions) of criterion(model_θ(x), y)

    θ is the concatenation of the model's parameters in their own order, a tied one once; `layout` says where each lies:
    name → (slice of θ, shape). `make()` builds the model with torch's default generator; `chunk` bounds how many
    samples `value_and_gradient` takes at a time, with the same result up to rounding. `batch_statistics`: the model has
    batch norms, so L depends on the batch as a whole; `chunk` would change it and is refused.

    One model serves all calls, its parameters replaced by views of θ: not to be shared between threads.
    """

    def __init__(
        self,
        make: Callable[[], nn.Module],
        data: Dataset,
        criterion: Criterion,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        chunk: int | None = None,
    ) -> None:
        self.make, self.data, self.criterion, self.chunk = make, data, criterion, chunk
        self.device, self.dtype, self.size = torch.device(device), dtype, len(data.x_train)
        self.train = self._move(data.x_train, data.y_train)
        self.test = self._move(data.x_test, data.y_test)
        self.model = seeded(make, 0).to(self.device, dtype)
        self.batch_statistics = any(isinstance(module, BatchNorm) for module in self.model.modules())
        parameters = dict(self.model.named_parameters())
        self._shapes = [parameter.shape for parameter in parameters.values()]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self.dim = sum(self._sizes)
        ends = torch.tensor([0, *self._sizes]).cumsum(0).tolist()
        spans = map(slice, ends, ends[1:])
        self.layout = {name: (span, tuple(p.shape)) for (name, p), span in zip(parameters.items(), spans, strict=False)}
        self._slots = self._open_slots(list(parameters.values()))
        self.evaluated = 250  # samples a forward pass at most when metrics are taken
        self._bound, self._kept = torch.empty(0), list[Tensor]()

    def _move(self, x: Tensor, y: Tensor) -> Batch:
        return Batch(x.to(self.device, self.dtype if x.is_floating_point() else None), y.to(self.device))

    def _open_slots(self, parameters: Sequence[Tensor]) -> list[tuple[dict[str, object], str, int]]:
        """Where each part of θ goes: (namespace, attribute, index). A plain attribute is found before a parameter."""
        order = {id(parameter): index for index, parameter in enumerate(parameters)}
        slots: list[tuple[dict[str, object], str, int]] = []
        for module in self.model.modules():
            for name, parameter in list(module._parameters.items()):
                if parameter is not None:
                    slots.append((vars(module), name, order[id(parameter)]))
                    del module._parameters[name]
        return slots

    def init(self, seed: int) -> Tensor:
        parts = [parameter.detach().reshape(-1) for parameter in seeded(self.make, seed).parameters()]
        return torch.cat(parts).to(self.device, self.dtype)

    def batch(self, indices: Tensor) -> Batch:
        flat = indices.to(self.device).flatten()
        x, y = (part.index_select(0, flat).unflatten(0, indices.shape) for part in (self.train.x, self.train.y))
        return Batch(x, y, each=indices.ndim > 1)

    def _views(self, theta: Tensor) -> list[Tensor]:
        split = theta.split(self._sizes, -1)
        return [part.view(theta.shape[:-1] + shape) for part, shape in zip(split, self._shapes, strict=True)]

    def _outputs(self, parts: Sequence[Tensor], x: Tensor) -> Tensor:
        for namespace, name, index in self._slots:
            namespace[name] = parts[index]
        return self.model(x).to(self.dtype)

    def loss(self, theta: Tensor, batch: Batch | None = None) -> Tensor:
        batch = self.train if batch is None else batch
        return self.criterion(self._outputs(self._views(theta), batch.x), batch.y)

    def value_and_gradient(self, theta: Tensor, batch: Batch | None = None) -> tuple[Tensor, Tensor]:
        """(L, ∇L) as in the base class; one θ is differentiated at the parameters, which saves the way back to θ."""
        batch = self.train if batch is None else batch
        if theta.ndim == 2 and (len(theta) == 1 or len(batch) > self.together):
            found = [self.value_and_gradient(one, batch.member(index)) for index, one in enumerate(theta)]
            return torch.stack([value for value, _ in found]), torch.stack([gradient for _, gradient in found])
        if theta.ndim == 2:
            return super().value_and_gradient(theta, batch)
        (weight, build), *others = self.pieces(theta, batch)
        value, gradient = _gradient(build)
        if weight != 1:
            value, gradient = weight * value, weight * gradient
        for weight, build in others:
            part, slope = _gradient(build)
            value += weight * part
            gradient += weight * slope
        value, gradient = self.ranks.total(value, gradient)
        return value, gradient

    def gradient_moments(self, theta: Tensor, samples: Tensor | None = None) -> Moments:
        """As in the base class, an MLP's in one pass. Raises BadInput where the loss is no mean of its samples' own."""
        batch = self.train if samples is None else self.batch(samples)
        if self.batch_statistics:
            raise BadInput("model.norm=batch: samples have no gradients of their own; choose model.norm=group")
        counted = (batch.y >= 0).reshape(len(batch), -1).sum(1)
        if bool((counted != counted[0]).any()):
            raise BadInput(f"data={self.data.name}: to be samples of one mean, all must count as many positions")
        if not isinstance(self.model, MLP):
            return super().gradient_moments(theta, samples)
        parts = self._views(theta.view(-1, self.dim))
        most = len(batch) if self.chunk is None else max(1, self.chunk // len(parts[0]))
        found = Moments.pooled(
            (len(piece) / len(batch), layerwise(parts, self.model.activation, self.criterion, piece.x, piece.y))
            for piece in batch.split(most)
        )
        return found if theta.ndim > 1 else Moments(*(part[0] for part in found))

    def pieces(self, theta: Tensor, batch: Batch | None = None) -> list[tuple[float, Piece]]:
        batch = self.train if batch is None else batch
        leaves = self._leaves(theta)

        def build(piece: Batch) -> Piece:
            return lambda: (self.criterion(self._outputs(leaves, piece.x), piece.y), leaves)

        if self.ranks.count == 1 and len(batch) <= (self.chunk or len(batch)):
            return [(1.0, build(batch))]  # the usual case, and the quick one
        share = batch.part(self.ranks.share(len(batch)))
        chunks = share.split(self.chunk or len(share))
        if self.batch_statistics:
            raise ValueError("batch norms have no chunked loss: their statistics are those of the whole batch")
        counts, all_counted = [int((part.y >= 0).sum()) for part in chunks], int((batch.y >= 0).sum())
        return [(count / all_counted, build(chunk)) for count, chunk in zip(counts, chunks, strict=True)]

    def fitting_chunk(self, budget: int) -> int:
        """How many samples keep at most `budget` bytes for the backward pass (at least one): a value for `chunk`."""
        few = self.batch(torch.arange(min(8, self.size)))
        theta = torch.zeros(self.dim, device=self.device, dtype=self.dtype)
        kept = {}

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            alive = self.loss(theta.requires_grad_(), few)
        kept.pop(theta.data_ptr(), None)
        del alive
        return max(1, budget * len(few) // max(1, sum(kept.values())))

    def _leaves(self, theta: Tensor) -> list[Tensor]:
        """Views of θ to differentiate at. An optimizer moves one θ in place, step after step: its views are kept."""
        if theta is not self._bound:
            self._bound, self._kept = theta, [part.requires_grad_() for part in self._views(theta.detach())]
        return self._kept

    @torch.no_grad()
    def metrics(self, theta: Tensor) -> dict[str, float]:
        """As in the base class, exact means over all samples. Batch norms use the training set's pooled statistics, for
        training and test alike; where it fits into one pass (≤ POOLED samples) train_loss is `loss(theta)`.
        """
        parts = self._views(theta)

        def passes() -> None:
            for piece in self.train.split(POOLED):
                self._outputs(parts, piece.x)

        with population_statistics(self.model, passes):
            found = self._evaluate(parts, self.train, "train")
            return found | self._evaluate(parts, self.test, "test") if len(self.test) else found

    @torch.no_grad()
    def scores(self, theta: Tensor) -> dict[str, Tensor]:
        if self.batch_statistics or len(theta) == 1 or len(self.train) > self.together:
            return super().scores(theta)
        found: dict[str, Tensor] = {}
        for name, samples in (("train", self.train), ("test", self.test)):
            if len(samples):
                totals = partial(self._totals, samples=samples, members=len(theta))
                loss, correct, counted = torch.func.vmap(lambda one, of=totals: of(self._views(one)))(theta).cpu().T
                found |= {f"{name}_loss": loss / counted, f"{name}_accuracy": correct / counted}
        return found

    def _evaluate(self, parts: Sequence[Tensor], samples: Batch, name: str) -> dict[str, float]:
        loss, correct, counted = self._totals(parts, samples).tolist()
        return {f"{name}_loss": loss / counted, f"{name}_accuracy": correct / counted}

    def _totals(self, parts: Sequence[Tensor], samples: Batch, members: int = 1) -> Tensor:
        """(3,), float64: Σ loss, how many are right, how many count; so many members share the memory of a pass."""
        total = torch.zeros(3, dtype=torch.float64, device=self.device)
        for piece in samples.split(max(1, self.evaluated // members)):
            outputs = self._outputs(parts, piece.x)
            counted = (piece.y >= 0).sum()
            correct = (outputs.argmax(-1) == piece.y).sum()
            total = total + torch.stack([self.criterion(outputs, piece.y).double() * counted, correct, counted])
        return total

    def scale_invariant(self) -> dict[str, slice]:
        """Those that modules know of: `blocks.0.attention.query.weight[1]`, the rows of its second head."""
        found: dict[str, slice] = {}
        for where, module in self.model.named_modules():
            for parameter, parts in getattr(module, "scale_invariant", dict)().items():
                span, shape = self.layout[f"{where}.{parameter}"]
                size = math.prod(shape) // parts
                ends = range(span.start, span.stop + 1, size)
                slices = enumerate(map(slice, ends, ends[1:]))
                found |= {f"{where}.{parameter}[{index}]": part for index, part in slices}
        return found

    @cached_property
    def together(self) -> float:
        """Up to so many samples each, members of an ensemble are moved together; else they would leave the caches."""
        few = self.batch(torch.arange(min(8, self.size)))
        return len(few) * SHARED / max(1.0, self.work(few))

    def work(self, batch: Batch | None = None) -> float:
        from torch.utils.flop_counter import FlopCounterMode  # brings compilers with it, 0.2 s

        members, one = (len(batch.x), batch.member(0)) if batch is not None and batch.each else (1, batch)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.loss(torch.zeros(self.dim, device=self.device, dtype=self.dtype), one)
        return members * float(counter.get_total_flops())

    def provenance(self) -> dict[str, object]:
        data, sizes = self.data, {"train": len(self.train), "test": len(self.test)}
        return {"data": data.name, **sizes, "classes": data.classes, "digest": data.digest, "parameters": self.dim}


def _gradient(build: Piece) -> tuple[Tensor, Tensor]:
    value, leaves = build()
    slopes = torch.autograd.grad(value, leaves)
    return value.detach(), torch.cat([slope.reshape(-1) for slope in slopes])
