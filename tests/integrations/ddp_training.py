"""`torchrun ddp_training.py LIBRARY watched|plain`: two processes train together; each leaves rank<n>.pt there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from aeos.monitor.every import Every


def lightning(watched: bool) -> tuple[nn.Module, Every]:
    """12 steps, of 4 samples in each process."""
    import lightning.pytorch as pl
    from torch.utils.data import DataLoader, TensorDataset

    from aeos.monitor.lightning import SharpnessCallback
    from tests.integrations.test_lightning import Module, X, Y, loss_fn

    callback = SharpnessCallback(loss_fn, 2, every=2, tol=1e-8)
    pl.seed_everything(1 + int(os.environ["RANK"]), verbose=False)
    trainer = pl.Trainer(
        callbacks=[callback] if watched else [],
        strategy="ddp",
        devices=2,
        accelerator="cpu",
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), DataLoader(TensorDataset(X, Y), batch_size=4, shuffle=True))
    return trainer.lightning_module, callback.watch


def transformers(watched: bool) -> tuple[nn.Module, Every]:
    from aeos.monitor.transformers import SharpnessCallback
    from tests.integrations.test_transformers import fit

    callback = SharpnessCallback(batches=2, every=2, tol=1e-8)
    done = fit(Path("out"), *([callback] if watched else []), lr_scheduler_type="constant")
    return done.model, callback.watch


if __name__ == "__main__":
    torch.set_num_threads(1)
    library, kind = sys.argv[1:]
    model, watch = {"lightning": lightning, "transformers": transformers}[library](kind == "watched")
    left: dict[str, Any] = {
        "weights": model.state_dict(),
        "measured": [(step, found.sharpness, found.ratio) for step, found in watch.measured],
        "batches": watch.monitor and watch.monitor.passes.batches,
    }
    torch.save(left, f"rank{os.environ['RANK']}.pt")
