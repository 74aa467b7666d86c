"""Catches a network that remembers: buffers, random numbers, the order of calls, the size of a chunk."""

from __future__ import annotations

import copy

import pytest
import torch
from problem_cases import CASES, DIGITS, TABLE, TEXT, Case, problem, relative
from torch import nn

from aeos.problems import network as module
from aeos.problems.criteria import cross_entropy, squared_error
from aeos.problems.data.load import load
from aeos.problems.network import Network
from aeos.schema import problem as schema

each_case = pytest.mark.parametrize("case", CASES, ids=str)
BATCH_NORM = next(case for case in CASES if getattr(case.model, "norm", "") == "batch")


@each_case
def test_start_is_a_function_of_the_seed_alone(case: Case) -> None:
    it = problem(case)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    one, again, other = it.init(7), it.init(7), it.init(8)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(12)
    assert torch.equal(one, it.init(7))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape == (it.dim,)
    assert one.data_ptr() != again.data_ptr()
    assert torch.equal(problem(case, "float32").init(7).double(), one)


@each_case
def test_values_and_metrics_leave_nothing_behind(case: Case) -> None:
    it = problem(case)
    theta = it.init(0)
    kept = theta.clone()
    buffers = copy.deepcopy(dict(it.model.named_buffers()))
    first, metrics = it.value_and_gradient(theta), it.metrics(theta)
    assert it.loss(theta).item() == first[0].item() == it.value(theta).item()
    assert torch.equal(it.value_and_gradient(theta)[1], first[1])
    assert it.metrics(theta) == metrics
    assert torch.equal(theta, kept)
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in it.model.named_buffers())


@each_case
def test_metrics_are_exact_means(case: Case) -> None:
    it = problem(case)
    theta = it.init(0)
    whole = it.metrics(theta)
    assert set(whole) == {"train_loss", "train_accuracy", "test_loss", "test_accuracy"}
    assert whole["train_loss"] == pytest.approx(it.loss(theta).item(), rel=1e-12)
    it.evaluated = 5
    assert it.metrics(theta) == pytest.approx(whole, rel=1e-12)
    if case is not BATCH_NORM:
        outputs = it._outputs(it._views(theta), it.test.x)
        counted = it.test.y >= 0
        hits = (outputs.argmax(-1) == it.test.y)[counted]
        assert whole["test_accuracy"] == pytest.approx(hits.double().mean().item(), rel=1e-12)
        assert whole["test_loss"] == pytest.approx(it.loss(theta, it.test).item(), rel=1e-12)


@pytest.mark.parametrize("case", [case for case in CASES if case is not BATCH_NORM], ids=str)
def test_chunks_do_not_change_the_gradient(case: Case) -> None:
    it = problem(case)
    theta = it.init(0)
    it.chunk = None
    value, gradient = it.value_and_gradient(theta)
    for it.chunk in (1, 5):
        chunked, slope = it.value_and_gradient(theta)
        assert chunked.item() == pytest.approx(value.item(), rel=1e-12)
        assert relative(slope, gradient) < 1e-12


def test_members_that_are_not_moved_together_are_single_runs_to_the_bit() -> None:
    it = problem(CASES[0])
    theta = torch.stack([it.init(seed) for seed in range(3)])
    own = it.batch(torch.arange(12).view(3, 4))
    it.together, it.chunk = 3, 3
    for batch in (None, own):
        values, gradients = it.value_and_gradient(theta, batch)
        for index, one in enumerate(theta):
            value, gradient = it.value_and_gradient(one, batch and batch.member(index))
            assert torch.equal(values[index], value)
            assert torch.equal(gradients[index], gradient)
    assert it.scores(theta)["train_loss"].tolist() == [it.metrics(one)["train_loss"] for one in theta]


def test_chunks_weigh_by_counted_positions() -> None:
    it = problem(Case(TEXT, schema.Transformer(width=8, depth=1, heads=2)))
    it.train.y[0, 1:] = -100
    it.chunk = None
    whole = it.value_and_gradient(it.init(0))
    it.chunk = 1
    chunked = it.value_and_gradient(it.init(0))
    assert chunked[0].item() == pytest.approx(whole[0].item(), rel=1e-12)
    assert relative(chunked[1], whole[1]) < 1e-12


def test_a_chunk_keeps_the_memory_it_is_given() -> None:
    it = problem(Case(DIGITS, schema.MLP(width=32)))
    one, two = it.fitting_chunk(1 << 20), it.fitting_chunk(2 << 20)
    assert one > 1
    assert two == pytest.approx(2 * one, abs=1)
    activations = 8 * (64 + 32 + 32 + 10)  # bytes: what a sample's layers put out, at least
    assert one <= (1 << 20) / activations
    assert it.fitting_chunk(1) == 1


def test_batch_norm_refuses_to_be_chunked() -> None:
    it = problem(BATCH_NORM)
    assert it.batch_statistics
    assert it.chunk is None
    it.chunk = 5
    with pytest.raises(ValueError, match="statistics are those of the whole batch"):
        it.value_and_gradient(it.init(0))


def test_batch_norm_evaluates_with_the_training_sets_statistics() -> None:
    """Against torch's own batch norm with its running averages filled from the training set in one pass."""
    it = problem(BATCH_NORM)
    theta = it.init(0)
    plain = it.make().double()
    nn.utils.vector_to_parameters(theta, plain.parameters())
    norms = {name: part for name, part in plain.named_modules() if type(part).__name__ == "BatchNorm"}
    counts = {}
    for name, part in norms.items():
        twin = nn.BatchNorm2d(len(part.weight), momentum=None).double()
        twin.weight, twin.bias = part.weight, part.bias
        twin.register_forward_pre_hook(lambda m, args, name=name: counts.update({name: args[0][:, 0].numel()}))
        plain.set_submodule(name, twin)
    with torch.no_grad():
        assert it.loss(theta).item() == pytest.approx(it.criterion(plain(it.train.x), it.train.y).item(), rel=1e-12)
        for name, count in counts.items():
            plain.get_submodule(name).running_var *= (count - 1) / count  # torch averages the unbiased variance
        plain.eval()
        test_loss = it.criterion(plain(it.test.x), it.test.y).item()
    assert it.metrics(theta)["test_loss"] == pytest.approx(test_loss, rel=1e-12)


def test_statistics_pooled_over_passes_are_exact_in_the_first_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    it = problem(Case(DIGITS, schema.ResNet(width=2, norm="batch")))
    settled = []
    settle = type(it.model.stem_norm).settle
    monkeypatch.setattr(
        type(it.model.stem_norm), "settle", lambda self: (settle(self), settled.append(self.population))[0]
    )
    it.metrics(it.init(0))
    whole = settled[0]
    settled.clear()
    monkeypatch.setattr(module, "POOLED", 5)
    it.metrics(it.init(0))
    torch.testing.assert_close(settled[0], whole, rtol=1e-12, atol=1e-12)


def test_a_tied_parameter_is_one_part_of_theta() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Linear(30, 30), nn.Linear(30, 30), nn.Linear(30, 2)
            self.second.weight = self.first.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.tanh(self.second(torch.tanh(self.first(x)))))

    it = Network(Tied, load(TABLE, torch.float64), cross_entropy, dtype=torch.float64)
    assert it.dim == 30 * 30 + 3 * 30 + 30 + 2
    theta = it.init(0)
    value, gradient = it.value_and_gradient(theta)
    plain = Tied().double()
    nn.utils.vector_to_parameters(theta, plain.parameters())
    loss = cross_entropy(plain(it.train.x), it.train.y)
    assert value.item() == loss.item()
    true = torch.autograd.grad(loss, list(plain.parameters()))
    assert relative(gradient, torch.cat([part.reshape(-1) for part in true])) < 1e-12


def test_losses_of_a_network_that_answers_nothing() -> None:
    """All outputs 0: cross-entropy log C, squared error ½; ignored positions count in neither."""
    y = torch.tensor([[0, 2, -100], [1, -100, -100]])
    assert cross_entropy(torch.zeros(2, 3, 5), y).item() == pytest.approx(torch.tensor(5.0).log().item(), rel=1e-6)
    assert squared_error(torch.zeros(2, 3, 5), y).item() == 0.5
    outputs = torch.arange(12.0).view(3, 4)
    assert squared_error(outputs, torch.tensor([0, 1, 2])).item() == pytest.approx(
        (outputs - torch.eye(4)[:3]).square().sum(1).mean().item() / 2, rel=1e-6
    )


def test_provenance_names_the_data() -> None:
    it = problem(CASES[0])
    found = it.provenance()
    assert (found["train"], found["test"], found["classes"], found["parameters"]) == (12, 8, 10, it.dim)
    assert found["digest"] == load(DIGITS, torch.float32).digest


def test_the_gradient_follows_a_theta_that_moves_in_place_and_one_that_does_not() -> None:
    """Its views of the last θ are kept: they must never be those of another θ, nor of this one's past."""
    network = problem(CASES[0])
    moving, other = network.init(0), network.init(1)
    for _ in range(3):
        moving.add_(0.1)
        for theta in (moving, other, moving):
            value, gradient = network.value_and_gradient(theta)
            fresh = theta.clone().requires_grad_()
            expected = network.loss(fresh)
            torch.testing.assert_close(value, expected.detach(), rtol=1e-14, atol=0)
            torch.testing.assert_close(gradient, torch.autograd.grad(expected, fresh)[0], rtol=1e-12, atol=1e-15)
    assert not moving.requires_grad
    assert network._leaves(moving) is network._leaves(moving)
