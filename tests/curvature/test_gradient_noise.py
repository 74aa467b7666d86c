"""Catches a covariance that is not the one that all minibatches, listed one by one, have."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from aeos.curvature import diagonal_covariance
from aeos.errors import BadInput
from aeos.problems.network import Network
from aeos.schema import problem as schema
from tests.problems.problem_cases import Case, problem

N = 6


@pytest.fixture(scope="module")
def tiny() -> tuple[Network, Tensor]:
    it = problem(Case(schema.BreastCancer(n=N, test=1), schema.MLP(width=3)))
    return it, it.init(2)


def over_batches(it: Network, theta: Tensor, batches: itertools.product | itertools.combinations) -> Tensor:
    """(d,): the variance of the gradient over these equally likely batches."""
    found = torch.stack([it.value_and_gradient(theta, it.batch(torch.tensor(batch)))[1] for batch in batches])
    return found.var(0, correction=0)


@pytest.mark.parametrize("batch_size", [1, 2, 4, N])
def test_it_is_the_covariance_over_all_batches(batch_size: int, tiny: tuple[Network, Tensor]) -> None:
    it, theta = tiny
    _, mean, mean_square = it.gradient_moments(theta)
    true = over_batches(it, theta, itertools.combinations(range(N), batch_size))
    found = diagonal_covariance(mean, mean_square, batch_size, N)
    torch.testing.assert_close(found, true, rtol=1e-12, atol=1e-15)
    assert found.any() == (batch_size < N)
    if batch_size <= 2:
        true = over_batches(it, theta, itertools.product(range(N), repeat=batch_size))
        found = diagonal_covariance(mean, mean_square, batch_size, N, replacement=True)
        torch.testing.assert_close(found, true, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("seen", [2, 4, N])
def test_from_some_samples_it_is_unbiased(seen: int, replacement: bool, tiny: tuple[Network, Tensor]) -> None:
    it, theta = tiny
    _, mean, mean_square = it.gradient_moments(theta)
    estimates = []
    for samples in itertools.combinations(range(N), seen):
        _, *moments = it.gradient_moments(theta, torch.tensor(samples))
        estimates.append(diagonal_covariance(*moments, 3, N, replacement=replacement, seen=seen))
    true = diagonal_covariance(mean, mean_square, 3, N, replacement=replacement)
    torch.testing.assert_close(torch.stack(estimates).mean(0), true, rtol=1e-12, atol=1e-15)


def test_members_keep_their_rows_and_arguments_stay_as_they_are() -> None:
    mean, mean_square = torch.tensor([[1.0, 2.0], [0.0, 3.0]]), torch.tensor([[5.0, 4.0], [1.0, 9.0]])
    kept = mean.clone(), mean_square.clone()
    assert diagonal_covariance(mean, mean_square, 2, 5).tolist() == [[1.5, 0.0], [0.375, 0.0]]
    assert torch.equal(mean, kept[0])
    assert torch.equal(mean_square, kept[1])


def test_rounding_gives_no_negative_variance_and_one_sample_none() -> None:
    mean = torch.tensor([0.1, 1 / 3], dtype=torch.float32)
    assert diagonal_covariance(mean, mean.square() * (1 - 1e-6), 1, 4).tolist() == [0, 0]
    assert diagonal_covariance(mean, mean.square(), 1, 1).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("batch_size", "options", "says"),
    [
        (0, {}, "batch_size=0: must be between 1 and the 5"),
        (6, {}, "batch_size=6: must be between 1 and the 5"),
        (0, {"replacement": True}, "batch_size=0"),
        (2, {"seen": 1}, "seen=1: a variance needs between 2 and the 5"),
        (2, {"seen": 6}, "seen=6"),
    ],
)
def test_what_cannot_be_drawn_is_refused(batch_size: int, options: dict[str, int], says: str) -> None:
    mean = torch.ones(3)
    with pytest.raises(BadInput, match=says):
        diagonal_covariance(mean, mean, batch_size, 5, **options)
    assert diagonal_covariance(mean, 2 * mean, 6, 5, replacement=True).tolist() == pytest.approx([1 / 6] * 3)
