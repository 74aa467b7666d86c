"""Sharpness while Lightning's Trainer trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor

from aeos.errors import BadInput
from aeos.monitor.every import Every
from aeos.monitor.sharpness import Sharpness

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError:
    raise BadInput('aeos.monitor.lightning: Lightning is not installed: pip install "aeos[lightning]"') from None


class SharpnessCallback(Callback):
    """ratio = λ₁(P^(−½)(H + ρI)P^(−½)) / threshold after every `every`-th optimizer step: `SharpnessMonitor` says more

    `loss_fn(module, batch)` → (), the mean loss of the batch's samples: what training_step computes, without logging
    or `self.optimizers()`. `batches`: a fixed list or DataLoader, or a number n, the first n of the Trainer's own train
    loader; lists are moved as Lightning moves its own. `settings` are the monitor's: method, weight, retain, tol, seed.

    Measured is between steps, with P of the last step and the learning rate of the next: gradients may accumulate over
    batches, schedulers may move, precision may be mixed (the loss is then that of full precision, as the weights are
    stored). The Trainer's loggers get sharpness, preconditioned_sharpness, threshold and ratio with the number of
    optimizer steps taken, whatever log_every_n_steps is; `trainer.callback_metrics` has the last ones, for other
    callbacks; `measured` all of them, as (step, Sharpness). Training itself is the same to the bit as without.

    With DDP the first process measures, on its own batches, while the others wait. Raises BadInput when training begins
    or at the first measurement: for several optimizers or train loaders, sharded parameters (FSDP, DeepSpeed), and what
    the monitor refuses.
    """

    def __init__(
        self,
        loss_fn: Callable[[Any, Any], Tensor],
        batches: int | Iterable[Any] = 1,
        *,
        every: int = 100,
        **settings: Any,
    ) -> None:
        self.watch = Every(loss_fn, batches, every, settings)

    @property
    def measured(self) -> list[tuple[int, Sharpness]]:
        return self.watch.measured

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if len(trainer.optimizers) != 1:
            raise BadInput(f"SharpnessCallback: there are {len(trainer.optimizers)} optimizers; it watches exactly one")
        loader = trainer.train_dataloader
        if isinstance(loader, dict | list | tuple):
            loader = None
        place = trainer.strategy.batch_to_device
        self.watch.begin(trainer.global_step, pl_module, trainer.optimizers[0], loader, place)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        found = self.watch.after(trainer.global_step)
        if found:
            for logger in trainer.loggers:
                logger.log_metrics(found, step=trainer.global_step)
            pl_module.log_dict(found, on_step=True, on_epoch=False, logger=False, rank_zero_only=True)
