"""Catches gradient moments that are not those of the samples one by one: a layer's product, a weight, a chunk."""

from __future__ import annotations

import pytest
import torch
from problem_cases import CASES, SORTING, TEXT, Case, problem, relative
from torch import Tensor

from aeos.errors import BadInput
from aeos.problems import base
from aeos.problems.analytic import Teacher
from aeos.problems.base import Problem
from aeos.problems.build import build_problem
from aeos.problems.moments import Moments
from aeos.schema import problem as schema
from tests.conftest import composed

NORMED = [case for case in CASES if getattr(case.model, "norm", "") == "batch"]
MEANS = [case for case in CASES if case not in NORMED]
DEEP = Case(schema.BreastCancer(n=12, test=8), schema.MLP(width=5, depth=9, activation="relu", init="he"))


def one_by_one(it: Problem, theta: Tensor, samples: Tensor | None = None) -> Moments:
    """A gradient a sample, each from a batch of one."""
    indices = torch.arange(it.size) if samples is None else samples
    values, gradients = zip(*(it.value_and_gradient(theta, it.batch(index[None])) for index in indices), strict=True)
    found = torch.stack(gradients)
    return Moments(torch.stack(values).mean(), found.mean(0), found.square().mean(0))


def agree(found: Moments, true: Moments) -> None:
    assert found.value.item() == pytest.approx(true.value.item(), rel=1e-12)
    assert found.mean_square.min() >= 0
    for ours, theirs in zip(found[1:], true[1:], strict=True):
        assert ours.shape == theirs.shape
        assert relative(ours, theirs) < 1e-12


@pytest.mark.parametrize("case", [*MEANS, DEEP], ids=str)
def test_moments_are_those_of_single_samples(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    it = problem(case)
    theta = it.init(1)
    true, some = one_by_one(it, theta), torch.tensor([3, 0, 2])
    found = it.gradient_moments(theta)
    agree(found, true)
    value, gradient = it.value_and_gradient(theta)
    assert found.value.item() == pytest.approx(value.item(), rel=1e-13)
    assert relative(found.mean, gradient) < 1e-13
    assert not any(part.requires_grad for part in found)
    agree(it.gradient_moments(theta, some), one_by_one(it, theta, some))
    it.chunk = 5
    agree(it.gradient_moments(theta), true)
    monkeypatch.setattr(base, "SPACE", 8 * it.dim)
    it.chunk = None
    agree(it.gradient_moments(theta), true)


@pytest.mark.parametrize("it", [problem(CASES[0]), problem(MEANS[4]), Teacher()], ids=lambda it: type(it).__name__)
def test_an_ensemble_has_the_moments_of_its_members(it: Problem) -> None:
    thetas = torch.stack([it.init(seed) for seed in range(3)])
    found = it.gradient_moments(thetas)
    assert [tuple(part.shape) for part in found] == [(3,), (3, it.dim), (3, it.dim)]
    for member, theta in enumerate(thetas):
        agree(Moments(*(part[member] for part in found)), one_by_one(it, theta))
    it.chunk = 4
    agree(Moments(*(part[2] for part in it.gradient_moments(thetas))), one_by_one(it, thetas[2]))


def test_sequences_that_count_as_many_positions_are_samples_and_others_are_refused() -> None:
    it = problem(Case(SORTING, schema.Transformer(width=8, depth=1, heads=2)))
    assert (it.train.y < 0).any()
    agree(it.gradient_moments(it.init(0)), one_by_one(it, it.init(0)))
    it = problem(Case(TEXT, schema.Transformer(width=8, depth=1, heads=2)))
    it.train.y[0, 1:] = -100
    with pytest.raises(BadInput, match=r"data=text: .* must count as many positions"):
        it.gradient_moments(it.init(0))
    it.gradient_moments(it.init(0), torch.tensor([1, 2]))


def test_batch_norms_are_refused() -> None:
    it = problem(NORMED[0])
    with pytest.raises(BadInput, match=r"model.norm=batch: .* choose model.norm=group"):
        it.gradient_moments(it.init(0))


def test_the_deep_problem_is_the_experiments_network() -> None:
    """569 × 30, ten linear layers of width 20: 30·20 + 8·20² + 20·2 weights and 9·20 + 2 biases."""
    it = build_problem(composed("problem=deep"))
    assert (it.size, it.provenance()["test"], it.dim) == (569, 0, 600 + 3200 + 40 + 182)
    assert it.init(0).abs().max() > 0.5  # √(6/20) = 0.548; torch's own initialization ends at √(1/20) = 0.224
    torch.testing.assert_close(it.gradient_moments(it.init(0)).mean, it.value_and_gradient(it.init(0))[1])
