"""Would catch: one of several processes that waits for the others while it measures, or trains on without them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from aeos.monitor import SharpnessMonitor
from aeos.monitor.transformers import own_loss
from tests.integrations import test_lightning, test_transformers

ROOT = Path(__file__).parents[2]


def trained(library: str, kind: str, there: Path) -> list[dict[str, Any]]:
    """What each of two processes left."""
    there.mkdir()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(Path(__file__).with_name("ddp_training.py")), library, kind],
        cwd=there,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(there / f"rank{rank}.pt", weights_only=False) for rank in range(2)]


def fresh(library: str) -> tuple[nn.Module, Any]:
    if library == "lightning":
        return test_lightning.Module(), test_lightning.loss_fn
    return test_transformers.model(), own_loss


@pytest.mark.parametrize("library", ["lightning", "transformers"])
def test_the_first_process_measures_and_both_train_the_same_to_the_bit(library: str, tmp_path: Path) -> None:
    plain, watched = (trained(library, kind, tmp_path / kind) for kind in ("plain", "watched"))
    for one, other in zip(plain, watched, strict=True):
        for name, value in one["weights"].items():
            assert torch.equal(value, other["weights"][name]), name
    first, second = watched
    assert [step for step, *_ in first["measured"]] == [2, 4, 6, 8, 10, 12]
    assert (second["measured"], second["batches"]) == ([], None)

    model, loss_fn = fresh(library)
    for name, _ in model.named_parameters():
        assert torch.equal(first["weights"][name], second["weights"][name]), "they did not train together"
    model.load_state_dict(first["weights"])
    alone = SharpnessMonitor(model, loss_fn, torch.optim.SGD(model.parameters()), first["batches"], tol=1e-8)
    assert first["measured"][-1][1] == pytest.approx(alone.measure().sharpness, rel=1e-6)
    assert all(0 < ratio < float("inf") for *_, ratio in first["measured"])
