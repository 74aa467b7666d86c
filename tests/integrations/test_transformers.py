"""Would catch: a callback that the Trainer calls at another moment than we think, or that changes its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

from aeos.errors import BadInput
from aeos.monitor import SharpnessMonitor
from aeos.monitor.transformers import SharpnessCallback, own_loss
from aeos.theory.edge import stability_threshold
from tests.monitor.monitor_cases import dense_hessian, top

G = torch.Generator().manual_seed(0)
TOKENS = torch.randint(8, (24, 6), generator=G)
DATA = [{"input_ids": row, "labels": row} for row in TOKENS]
BATCH = {"input_ids": TOKENS, "labels": TOKENS}
CONFIG = GPT2Config(vocab_size=8, n_positions=6, n_embd=4, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)


def model(attention: str = "sdpa") -> GPT2LMHeadModel:
    torch.manual_seed(0)
    return GPT2LMHeadModel._from_config(CONFIG, attn_implementation=attention)


def trainer(tmp_path: Path, *callbacks: TrainerCallback, net: Any = None, data: Any = DATA, **settings: Any) -> Trainer:
    settings = {"logging_steps": 5, "max_steps": 12, "learning_rate": 0.02, "weight_decay": 0.1} | settings
    args = TrainingArguments(
        str(tmp_path),
        per_device_train_batch_size=4,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=1,
        **settings,
    )
    return Trainer(net or model(), args, train_dataset=data, callbacks=list(callbacks))


def fit(tmp_path: Path, *callbacks: TrainerCallback, **settings: Any) -> Trainer:
    made = trainer(tmp_path, *callbacks, **settings)
    made.train()
    return made


@pytest.mark.parametrize("batches", [2, 99, [BATCH], torch.utils.data.DataLoader(DATA, batch_size=12)])
@pytest.mark.parametrize("method", ["hessian", "critical"])
def test_training_is_the_same_to_the_bit(batches: Any, method: str, tmp_path: Path) -> None:
    callback = SharpnessCallback(batches=batches, every=3, method=method)
    plain, watched = fit(tmp_path), fit(tmp_path, callback)
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, watched.model.state_dict()[name]), name
    own = [[entry for entry in run.state.log_history if "loss" in entry] for run in (plain, watched)]
    assert [entry["loss"] for entry in own[0]] == [entry["loss"] for entry in own[1]]
    assert [step for step, _ in callback.measured] == [3, 6, 9, 12]
    assert all(found.ratio > 0 for _, found in callback.measured[:-1])


class Beside(TrainerCallback):
    """The monitor as one would call it by hand, after a step."""

    def __init__(self) -> None:
        self.found: list[Any] = []
        self.monitor: Any = None

    def on_step_end(self, args: Any, state: Any, control: Any, **around: Any) -> None:
        optimizer = around["optimizer"]
        self.monitor = self.monitor or SharpnessMonitor(around["model"], own_loss, optimizer, [BATCH])
        self.found.append((state.global_step, self.monitor.measure(), optimizer.param_groups[0]["lr"]))


@pytest.mark.parametrize("optimizer", ["adamw_torch", "adamw_torch_fused"])
def test_it_measures_what_the_monitor_does_and_the_threshold_follows_the_schedule(
    optimizer: str, tmp_path: Path
) -> None:
    callback, beside = SharpnessCallback(batches=[BATCH], every=1), Beside()
    fit(tmp_path, callback, beside, optim=optimizer, max_steps=4)
    assert callback.measured == [(step, found) for step, found, _ in beside.found]
    assert [lr for *_, lr in beside.found] == pytest.approx([0.015, 0.01, 0.005, 0.0])
    for step, found, lr in beside.found[:-1]:
        threshold = stability_threshold("adam", lr, beta1=0.9, step=step) * (1 - lr * 0.1 / 2)
        assert found.threshold == pytest.approx(threshold, rel=1e-12)
    assert beside.found[-1][1].threshold == float("inf")


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_it_measures_what_a_dense_hessian_has(attention: str, tmp_path: Path) -> None:
    callback = SharpnessCallback(batches=[BATCH], every=10, tol=1e-9)
    run = fit(tmp_path, callback, net=model(attention).double(), max_steps=10, lr_scheduler_type="constant")
    with sdpa_kernel(SDPBackend.MATH):
        loss = own_loss(run.model.eval(), BATCH)
        groups = run.optimizer.param_groups
        assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
        leaves = [p for group in groups for p in group["params"]]
        hessian = dense_hessian(loss, leaves)
    state = run.optimizer.state
    p = torch.cat([(state[x]["exp_avg_sq"] / (1 - 0.999**10)).sqrt().flatten() + 1e-8 for x in leaves])
    ((_, found),) = callback.measured
    assert found.sharpness == pytest.approx(top(hessian), rel=1e-7)
    assert found.preconditioned_sharpness == pytest.approx(top(hessian, p), rel=1e-7)


def test_accumulated_batches_are_one_step(tmp_path: Path) -> None:
    callback = SharpnessCallback(batches=[BATCH], every=1)
    run = fit(tmp_path, callback, gradient_accumulation_steps=3, max_steps=4)
    assert run.state.global_step == 4
    assert [step for step, _ in callback.measured] == [1, 2, 3, 4]


class Heard(TrainerCallback):
    """What reports such as TensorBoard's are given."""

    def __init__(self) -> None:
        self.logs: list[dict[str, float]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        self.logs.append({**logs, "step": state.global_step})


@pytest.mark.parametrize("to_all", [True, False])
def test_the_trainers_log_has_every_measurement_and_its_own_entries(to_all: bool, tmp_path: Path) -> None:
    heard = Heard()
    run = trainer(tmp_path, heard)
    callback = SharpnessCallback(batches=[BATCH], every=5, log=run.log if to_all else None)
    run.add_callback(callback)
    run.train()
    for name in ("sharpness", "preconditioned_sharpness", "threshold", "ratio"):
        told = [(entry["step"], entry[name]) for entry in run.state.log_history if name in entry]
        assert told == [(step, getattr(found, name)) for step, found in callback.measured]
        assert [entry["step"] for entry in heard.logs if name in entry] == ([5, 10] if to_all else [])
    assert [entry["step"] for entry in run.state.log_history if "loss" in entry] == [5, 10]


def test_mixed_precision_is_measured_as_the_trainer_sees_it(tmp_path: Path) -> None:
    callback = SharpnessCallback(batches=[BATCH], every=10)
    run = fit(tmp_path, callback, bf16=True, max_steps=10, lr_scheduler_type="constant")
    clean = model()
    clean.load_state_dict(run.model.state_dict())
    ((_, found),) = callback.measured
    exact = SharpnessMonitor(clean, own_loss, torch.optim.SGD(clean.parameters(), lr=0.1), [BATCH]).measure()
    assert found.sharpness != exact.sharpness
    assert found.sharpness == pytest.approx(exact.sharpness, rel=0.1)  # bfloat16 has 8 bits


def test_a_loss_of_ones_own(tmp_path: Path) -> None:
    def smoothed(net: nn.Module, batch: Any) -> Tensor:
        logits = net(input_ids=batch["input_ids"]).logits[:, :-1].flatten(0, 1)
        return nn.functional.cross_entropy(logits, batch["labels"][:, 1:].flatten(), label_smoothing=0.1)

    callback, plain = (SharpnessCallback(loss, [BATCH], every=4) for loss in (smoothed, own_loss))
    run = fit(tmp_path, callback, plain, max_steps=4)
    assert callback.measured[0][1].loss == pytest.approx(float(smoothed(run.model.eval(), BATCH).detach()), rel=1e-5)
    assert callback.measured[0][1].sharpness != plain.measured[0][1].sharpness


def test_a_trainer_that_is_called_again_is_measured_again(tmp_path: Path) -> None:
    callback = SharpnessCallback(batches=[BATCH], every=2)
    run = fit(tmp_path, callback, max_steps=4)
    run.train()
    assert [step for step, _ in callback.measured] == [2, 4, 2, 4]


def test_an_optimizer_that_is_not_known_is_refused_before_the_first_step(tmp_path: Path) -> None:
    net = model()
    run = trainer(tmp_path, SharpnessCallback(batches=[BATCH]), net=net)
    run.optimizer = torch.optim.Adamax(net.parameters())
    with pytest.raises(BadInput, match="optimizer=Adamax"):
        run.train()
    assert run.state.global_step == 0
