"""What the callbacks for other libraries share: when to measure, on which batches, and whether that can be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, distributed, nn, optim
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.tensor import DTensor

from aeos.errors import BadInput
from aeos.monitor.sharpness import Sharpness, SharpnessMonitor
from aeos.monitor.surroundings import randomness

REPORTED = ("sharpness", "preconditioned_sharpness", "threshold", "ratio")
AROUND = ("base_dataloader", "batch_sampler", "sampler")  # what a loader may keep a generator in, one in another


class Every:
    """A `SharpnessMonitor` measured after each `every`-th optimizer step, by the first process of those that train.

    `batches`: what the monitor takes, or a number n: then the first n of the trainer's own loader when training
    begins, kept in memory. To look at them leaves all generators as they were; a data set that counts what it gave out
    (a stream) needs a list. `measured` has every (step, measurement), also of a training that was called again.
    """

    def __init__(
        self, loss_fn: Callable[[Any, Any], Tensor], batches: int | Iterable[Any], every: int, settings: dict[str, Any]
    ) -> None:
        if isinstance(batches, int) and batches < 1:
            raise BadInput(f"batches={batches}: must be at least 1, or a list of batches")
        if every < 1:
            raise BadInput(f"every={every}: must be at least 1, in optimizer steps")
        self.loss_fn, self.batches, self.every, self.settings = loss_fn, batches, every, settings
        self.measured: list[tuple[int, Sharpness]] = []
        self.monitor: SharpnessMonitor | None = None
        self.last = 0

    def begin(
        self,
        step: int,
        model: nn.Module,
        optimizer: optim.Optimizer,
        loader: Any,
        place: Callable[[Any], Any],
    ) -> None:
        """After `step` steps, before those to watch; `place` moves a batch to where the model is.

        Raises BadInput, in every process, for parameters that are spread over processes, and what the monitor refuses.
        """
        _whole(model)
        self.last, self.monitor = step, None
        if distributed.is_initialized() and distributed.get_rank():
            return
        batches = first(self.batches, loader) if isinstance(self.batches, int) else self.batches
        loss_fn = self.loss_fn
        if isinstance(batches, list):
            batches = [place(batch) for batch in batches]
        else:

            def loss_fn(model: Any, batch: Any) -> Tensor:
                return self.loss_fn(model, place(batch))

        self.monitor = SharpnessMonitor(model, loss_fn, optimizer, batches, **self.settings)

    def after(self, step: int) -> dict[str, float]:
        """What to report after so many optimizer steps; nothing where it is not time, or was asked already."""
        before, self.last = self.last, step
        if self.monitor is None or step == before or step % self.every:
            return {}
        found = self.monitor.measure()
        self.measured.append((step, found))
        return {name: getattr(found, name) for name in REPORTED}


def first(n: int, loader: Any) -> list[Any]:
    """The first n batches, or all, and everything that a pass draws from as if nobody had looked."""
    if not isinstance(loader, Iterable):
        raise BadInput(f"batches={n}: the trainer has no single train loader; give a list of batches")
    if getattr(loader, "persistent_workers", False):
        raise BadInput(f"batches={n}: the train loader has persistent_workers=True; give a list of batches")
    with randomness(torch.device("cpu"), *_inside(loader)):
        return list(islice(getattr(loader, "base_dataloader", loader), n))


def _inside(loader: Any) -> Iterator[Any]:
    yield loader
    for name in AROUND:
        part = getattr(loader, name, None)
        if part is not None:
            yield from _inside(part)


def _whole(model: nn.Module) -> None:
    sharded = any(isinstance(module, FullyShardedDataParallel) for module in model.modules())
    if sharded or any(isinstance(parameter, DTensor) for parameter in model.parameters()):
        raise BadInput("model: its parameters are spread over processes (FSDP); measure with DDP or in one process")
    several = distributed.is_initialized() and distributed.get_world_size() > 1
    if several and any(isinstance(module, nn.SyncBatchNorm) for module in model.modules()):
        raise BadInput("model: SyncBatchNorm needs all processes, and one alone measures; use plain batch norm")
