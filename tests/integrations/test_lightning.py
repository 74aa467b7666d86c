"""Would catch: a callback that Lightning calls at another moment than we think, or whose measuring changes training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pandas as pd
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from aeos.errors import BadInput
from aeos.monitor import SharpnessMonitor
from aeos.monitor.lightning import SharpnessCallback
from aeos.theory.edge import stability_threshold
from tests.monitor.monitor_cases import dense_hessian, top

G = torch.Generator().manual_seed(0)
X = torch.randn(48, 4, generator=G)
Y = torch.sin(2 * X[:, :2] + X[:, 2:])


class Module(pl.LightningModule):
    """Dropout and batch norm, so that modes, buffers and random numbers all matter."""

    def __init__(self, optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW) -> None:
        super().__init__()
        self.kind = optimizer
        self.net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.2), nn.Linear(6, 2))

    def training_step(self, batch: Any, index: int) -> Tensor:
        loss = loss_fn(self, batch)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        weights, rest = (
            [p for p in self.parameters() if p.ndim > 1],
            [p for p in self.parameters() if p.ndim < 2],
        )
        groups = [{"params": weights, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
        optimizer = self.kind(groups, lr=0.02)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def loss_fn(module: Module, batch: Any) -> Tensor:
    return (module.net(batch[0]) - batch[1]).square().sum(1).mean()


def fit(
    tmp_path: Path, *callbacks: pl.Callback, module: Module | None = None, loader: Any = None, **settings: Any
) -> pl.Trainer:
    torch.manual_seed(1)
    module = module or Module()
    loader = loader or DataLoader(TensorDataset(X, Y), batch_size=8, shuffle=True)
    settings = {"max_epochs": 2, "logger": False, "accelerator": "cpu", "devices": 1} | settings
    trainer = pl.Trainer(
        callbacks=list(callbacks),
        default_root_dir=tmp_path,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.fit(module, loader)
    return trainer


def weights(trainer: pl.Trainer) -> dict[str, Tensor]:
    return dict(trainer.lightning_module.state_dict())


@pytest.mark.parametrize("batches", [2, [(X, Y)], DataLoader(TensorDataset(X, Y), batch_size=24)])
@pytest.mark.parametrize("method", ["hessian", "critical"])
def test_training_is_the_same_to_the_bit(batches: Any, method: str, tmp_path: Path) -> None:
    callback = SharpnessCallback(loss_fn, batches, every=3, method=method)
    plain, watched = fit(tmp_path), fit(tmp_path, callback)
    for name, value in weights(plain).items():
        assert torch.equal(value, weights(watched)[name]), name
    assert [step for step, _ in callback.measured] == [3, 6, 9, 12]
    assert all(found.ratio > 0 for _, found in callback.measured)


class Beside(pl.Callback):
    """The monitor as one would call it by hand, at the end of the batch in which the step was."""

    def __init__(self, every: int) -> None:
        self.every, self.found, self.last = every, [], 0
        self.monitor: Any = None

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        if trainer.global_step > self.last and trainer.global_step % self.every == 0:
            optimizer = module.optimizers()
            self.monitor = self.monitor or SharpnessMonitor(module, loss_fn, optimizer, [(X, Y)])
            self.found.append((trainer.global_step, self.monitor.measure(), optimizer.param_groups[0]["lr"]))
        self.last = trainer.global_step


def test_it_measures_what_the_monitor_does_and_the_threshold_follows_the_schedule(tmp_path: Path) -> None:
    callback, beside = SharpnessCallback(loss_fn, [(X, Y)], every=2), Beside(2)
    fit(tmp_path, callback, beside)
    assert callback.measured == [(step, found) for step, found, _ in beside.found]
    assert [lr for *_, lr in beside.found] == [0.02, 0.01, 0.01, 0.005, 0.005, 0.0025]
    for step, found, lr in beside.found:
        threshold = stability_threshold("adam", lr, beta1=0.9, step=step) * (1 - lr * 0.1 / 2)
        assert found.threshold == pytest.approx(threshold, rel=1e-12)


def test_it_measures_what_a_dense_hessian_has(tmp_path: Path) -> None:
    callback = SharpnessCallback(loss_fn, [(X.double(), Y.double())], every=12, tol=1e-9)
    trainer = fit(tmp_path, callback, precision="64-true")
    module, optimizer = trainer.lightning_module.eval(), trainer.optimizers[0]
    module.net[1].train()
    leaves = [p for group in optimizer.param_groups for p in group["params"]]
    hessian = dense_hessian(loss_fn(module, (X.double(), Y.double())), leaves)
    p = torch.cat([(optimizer.state[x]["exp_avg_sq"] / (1 - 0.999**12)).sqrt().flatten() + 1e-8 for x in leaves])
    ((_, found),) = callback.measured
    assert found.sharpness == pytest.approx(top(hessian), rel=1e-8)
    assert found.preconditioned_sharpness == pytest.approx(top(hessian, p), rel=1e-8)


def test_accumulated_batches_are_one_step(tmp_path: Path) -> None:
    callback = SharpnessCallback(loss_fn, [(X, Y)], every=1)
    trainer = fit(tmp_path, callback, accumulate_grad_batches=3)
    assert trainer.global_step == 4
    assert [step for step, _ in callback.measured] == [1, 2, 3, 4]


def test_loggers_and_other_callbacks_get_every_measurement(tmp_path: Path) -> None:
    callback = SharpnessCallback(loss_fn, [(X, Y)], every=5)
    trainer = fit(tmp_path, callback, logger=CSVLogger(tmp_path, flush_logs_every_n_steps=1), log_every_n_steps=4)
    (file,) = tmp_path.rglob("metrics.csv")
    logged = pd.read_csv(file).dropna(subset="ratio").set_index("step")
    assert list(logged.index) == [5, 10]
    for step, found in callback.measured:
        for name in ("sharpness", "preconditioned_sharpness", "threshold", "ratio"):
            assert logged[name][step] == pytest.approx(getattr(found, name), rel=1e-6)
    assert float(trainer.callback_metrics["ratio"]) == pytest.approx(callback.measured[-1][1].ratio, rel=1e-6)


def test_the_first_batches_are_those_of_the_loader(tmp_path: Path) -> None:
    callback = SharpnessCallback(loss_fn, 6, every=12)
    fit(tmp_path, callback, loader=DataLoader(TensorDataset(X, Y), batch_size=8))
    whole = SharpnessCallback(loss_fn, [(X[a : a + 8], Y[a : a + 8]) for a in range(0, 48, 8)], every=12)
    fit(tmp_path, whole, loader=DataLoader(TensorDataset(X, Y), batch_size=8))
    assert callback.measured == whole.measured


def test_mixed_precision_is_measured_in_full(tmp_path: Path) -> None:
    callback = SharpnessCallback(loss_fn, [(X, Y)], every=6)
    trainer = fit(tmp_path, callback, precision="bf16-mixed")
    again = SharpnessMonitor(trainer.lightning_module, loss_fn, trainer.optimizers[0], [(X, Y)]).measure()
    assert callback.measured[-1][1].ratio == pytest.approx(again.ratio, rel=1e-3)  # both of tol=1e-3
    assert weights(trainer)["net.0.weight"].dtype == torch.float32


class Two(Module):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.net[0], self.net[4])]


@pytest.mark.parametrize(
    ("says", "settings"),
    [
        ("2 optimizers", {"module": Two()}),
        ("give a list", {"loader": {"a": DataLoader(TensorDataset(X, Y)), "b": DataLoader(TensorDataset(X, Y))}}),
        ("persistent_workers", {"loader": DataLoader(TensorDataset(X, Y), num_workers=1, persistent_workers=True)}),
        ("bfloat16", {"precision": "bf16-true"}),
        ("optimizer=Adamax", {"module": Module(torch.optim.Adamax)}),
    ],
)
def test_refusals(says: str, settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=says):
        fit(tmp_path, SharpnessCallback(loss_fn, 2, every=1), **settings)


@pytest.mark.parametrize(("says", "wrong"), [("every=0", {"every": 0}), ("batches=0", {"batches": 0})])
def test_wrong_numbers(says: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=says):
        SharpnessCallback(loss_fn, **wrong)
