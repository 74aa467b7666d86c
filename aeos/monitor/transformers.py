"""Sharpness while the Trainer of Transformers trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor

from aeos.errors import BadInput
from aeos.monitor.every import Every
from aeos.monitor.sharpness import Sharpness

try:
    from accelerate.utils import send_to_device
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ImportError:
    raise BadInput('aeos.monitor.transformers: not installed: pip install "aeos[transformers]"') from None


def own_loss(model: Any, batch: Any) -> Tensor:
    """(), the loss that the model itself computes from its labels."""
    return model(**batch).loss


class SharpnessCallback(TrainerCallback):
    """ratio = λ₁(P^(−½)(H + ρI)P^(−½)) / threshold after every `every`-th optimizer step: `SharpnessMonitor` says more

    `loss_fn(model, batch)` → (), by default `model(**batch).loss`; give what the Trainer minimizes where that is
    something else (label smoothing, a compute_loss of your own). `batches`: a fixed list or DataLoader, or a number n,
    the first n of the Trainer's own train loader. `settings` are the monitor's: method, weight, retain, tol, seed.

    Measured is between steps, with P of the last step and the learning rate of the next; after the last one of a
    schedule that ends at 0 the threshold is infinite. Gradients may accumulate, groups may differ in weight decay, any
    attention but flash_attention_2 will do. With bf16 or fp16 the loss is what the Trainer sees, autocast included, and
    has its few digits. Training itself is the same to the bit as without.

    `log`: where sharpness, preconditioned_sharpness, threshold and ratio go; `trainer.log`, known once there is a
    trainer, is everything that it reports to. Without, they are added to `trainer.state.log_history` alone. `measured`
    has all of them, as (step, Sharpness).

    With DDP the first process measures, on its own batches, while the others wait. Raises BadInput when training begins
    or at the first measurement: for sharded parameters (FSDP, DeepSpeed), and what the monitor refuses.

    >>> trainer.add_callback(SharpnessCallback(batches=4, every=50, log=trainer.log))
    """

    def __init__(
        self,
        loss_fn: Callable[[Any, Any], Tensor] = own_loss,
        batches: int | Iterable[Any] = 1,
        *,
        every: int = 100,
        log: Callable[[dict[str, float]], object] | None = None,
        **settings: Any,
    ) -> None:
        self.watch, self.log = Every(loss_fn, batches, every, settings), log

    @property
    def measured(self) -> list[tuple[int, Sharpness]]:
        return self.watch.measured

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **around: Any
    ) -> None:
        def place(batch: Any) -> Any:
            return send_to_device(batch, args.device)

        model, optimizer, loader = (around[name] for name in ("model", "optimizer", "train_dataloader"))
        self.watch.begin(state.global_step, model, optimizer, loader, place)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        found = self.watch.after(state.global_step)
        if found and self.log:
            due = control.should_log  # the Trainer's own next entry, which theirs would count as written
            self.log(found)
            control.should_log = due
        elif found:
            state.log_history.append({**found, "epoch": state.epoch, "step": state.global_step})
