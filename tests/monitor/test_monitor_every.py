"""Would catch, without Lightning or Transformers: measuring at the wrong steps, a look into the loader that shows."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import pytest
import torch
from monitor_cases import data, loss_fn, net, train
from torch import nn, optim
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from aeos.errors import BadInput
from aeos.monitor import SharpnessMonitor
from aeos.monitor.every import Every, first

SET = TensorDataset(*data())


def begun(every: int, batches: Any, loader: Any = None, step: int = 0) -> tuple[Every, nn.Module, optim.Optimizer]:
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    watch = Every(loss_fn, batches, every, {"tol": 1e-6})
    watch.begin(step, model, optimizer, loader, lambda batch: batch)
    return watch, model, optimizer


def test_each_step_that_is_due_is_measured_once() -> None:
    watch, model, optimizer = begun(3, [data()], step=3)
    reported = {}
    for step in (3, 4, 5, 6, 6, 7, 9, 9):
        train(model, optimizer, data(), 1)
        if found := watch.after(step):
            reported[step] = (found, SharpnessMonitor(model, loss_fn, optimizer, [data()], tol=1e-6).measure())
    assert [step for step, _ in watch.measured] == [*reported] == [6, 9]
    for (found, again), (_, kept) in zip(reported.values(), watch.measured, strict=True):
        assert found == {
            key: getattr(kept, key) for key in ("sharpness", "preconditioned_sharpness", "threshold", "ratio")
        }
        assert found["ratio"] == pytest.approx(again.ratio, rel=1e-5)  # both of tol=1e-6


@pytest.mark.parametrize("kind", ["loader", "sampler", "batch sampler", "adapter"])
def test_the_first_batches_are_taken_as_if_nobody_had_looked(kind: str) -> None:
    own = torch.Generator().manual_seed(3)
    sampler = RandomSampler(SET, generator=own)
    loader: Any = {
        "loader": lambda: DataLoader(SET, batch_size=5, shuffle=True, generator=own),
        "sampler": lambda: DataLoader(SET, batch_size=5, sampler=sampler),
        "batch sampler": lambda: DataLoader(SET, batch_sampler=BatchSampler(sampler, 5, False)),
        "adapter": lambda: Adapter(DataLoader(SET, batch_size=5, sampler=sampler)),
    }[kind]()
    before = torch.get_rng_state(), own.get_state()
    taken = first(3, loader)
    assert torch.equal(before[0], torch.get_rng_state())
    assert torch.equal(before[1], own.get_state())
    assert [len(x) for x, _ in taken] == [5, 5, 5]
    whole = torch.cat([x for x, _ in first(99, loader)])
    assert len(whole) == 24
    assert torch.equal(whole.sort(0).values, data()[0].sort(0).values)


class Adapter:
    """As Accelerate's: to iterate it is part of the training."""

    def __init__(self, loader: Any) -> None:
        self.base_dataloader = loader

    def __iter__(self) -> Any:
        raise AssertionError("it was iterated")


def test_a_loader_is_walked_and_its_batches_are_moved() -> None:
    moved = []
    watch, model, optimizer = begun(1, DataLoader(SET, batch_size=8))
    watch.begin(0, model, optimizer, None, lambda batch: moved.append(batch) or batch)
    train(model, optimizer, data(), 1)
    whole = SharpnessMonitor(model, loss_fn, optimizer, [data()], tol=1e-6).measure()
    assert watch.after(1)["sharpness"] == pytest.approx(whole.sharpness, rel=1e-5)  # both of tol=1e-6
    assert len(moved) >= 3


def test_refusals() -> None:
    persistent = DataLoader(SET, num_workers=1, persistent_workers=True)
    for loader, says in ((None, "no single train loader"), (persistent, "persistent_workers")):
        with pytest.raises(BadInput, match=rf"batches=2: .*{says}.*give a list"):
            begun(1, 2, loader)
    for every, batches, says in ((0, 2, "every=0"), (1, 0, "batches=0")):
        with pytest.raises(BadInput, match=says):
            Every(loss_fn, batches, every, {})


def test_what_is_spread_over_processes_is_refused() -> None:
    """One process is enough to have a sharded parameter; synchronized norms matter from two on."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = net(torch.float32)
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        norms = nn.SyncBatchNorm.convert_sync_batchnorm(net(torch.float64, nn.BatchNorm1d(6)))
        watch = Every(loss_fn, [data()], 1, {})
        watch.begin(0, norms, optim.SGD(norms.parameters(), lr=0.1), None, lambda batch: batch)
        fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
        with pytest.raises(BadInput, match="FSDP"):
            watch.begin(0, model, optim.SGD(model.parameters(), lr=0.1), None, lambda batch: batch)
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("name", ["lightning", "transformers"])
def test_a_callback_without_its_library_says_how_to_get_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, f"{name}.pytorch", None)
    monkeypatch.delitem(sys.modules, f"aeos.monitor.{name}", raising=False)
    with pytest.raises(BadInput, match=rf'pip install "aeos\[{name}\]"'):
        importlib.import_module(f"aeos.monitor.{name}")
