"""Catches minibatches that repeat or miss a sample, noise of another law, draws that depend on others."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aeos.problems.sampling import Batches, GradientNoise


@given(size=st.integers(1, 60), part=st.floats(0.01, 1), seed=st.integers(0, 2**40), epoch=st.integers(0, 1000))
def test_an_epoch_covers_each_sample_at_most_once(size: int, part: float, seed: int, epoch: int) -> None:
    batches = Batches(size, max(1, int(part * size)), seed)
    start = epoch * batches.per_epoch
    drawn = torch.cat([batches.indices(step) for step in range(start, start + batches.per_epoch)])
    assert drawn.dtype == torch.int64
    assert len(drawn) == batches.per_epoch * batches.batch_size > size - batches.batch_size
    assert len(drawn.unique()) == len(drawn)
    assert drawn.min() >= 0
    assert drawn.max() < size


@given(steps=st.lists(st.integers(0, 300), min_size=1, max_size=20))
def test_a_step_can_be_asked_for_at_any_time(steps: list[int]) -> None:
    running = Batches(50, 8, 3)
    trained = [running.indices(step).tolist() for step in range(301)]
    asked = Batches(50, 8, 3)
    assert all(asked.indices(step).tolist() == trained[step] for step in steps)


def test_epochs_and_seeds_differ_and_the_global_generator_rests() -> None:
    before = torch.get_rng_state()
    epochs = [Batches(40, 40, seed).indices(epoch).tolist() for seed in range(4) for epoch in range(4)]
    assert torch.equal(torch.get_rng_state(), before)
    assert len({tuple(epoch) for epoch in epochs}) == 16


def test_every_sample_is_equally_likely_in_every_place() -> None:
    """An incomplete last block is dropped: over epochs the dropped samples must differ."""
    batches = Batches(10, 4, 0)
    counts = torch.zeros(10)
    for step in range(4000):
        counts[batches.indices(step)] += 1
    assert (counts - 1600).abs().max() < 5 * (2000 * 0.8 * 0.2) ** 0.5


@pytest.mark.parametrize("batch_size", [0, 11])
def test_a_batch_must_fit(batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size={batch_size}: must be between 1 and 10"):
        Batches(10, batch_size, 0)


@given(seed=st.integers(0, 2**31 - 1), step=st.integers(0, 40))
def test_each_member_has_its_own_order_however_many_there_are(seed: int, step: int) -> None:
    few, many = (Batches(50, 8, seed, members).indices(step) for members in (2, 5))
    assert many.shape == (5, 8)
    assert torch.equal(few, many[:2])
    assert len({tuple(row) for row in [Batches(50, 8, seed).indices(step).tolist(), *many.tolist()]}) == 6


def test_an_epoch_of_every_member_covers_each_sample_once() -> None:
    batches = Batches(12, 4, 3, members=3)
    epochs = [torch.cat([batches.indices(3 * epoch + block) for block in range(3)], 1) for epoch in (0, 7, 1)]
    for epoch in epochs:
        assert epoch.sort(1).values.tolist() == [list(range(12))] * 3
    assert not torch.equal(epochs[0], epochs[2])
    assert torch.equal(batches.indices(0), epochs[0][:, :4])


def test_shared_noise_is_the_stream_that_runs_were_made_with() -> None:
    gradient = torch.zeros(3, 20, dtype=torch.float64)
    for step in (0, 7):
        drawn = 0.3 * np.random.default_rng([5, step, 1]).standard_normal(20)
        assert GradientNoise(0.3, 5)(step, gradient).tolist() == drawn.tolist()


@pytest.mark.parametrize("nu", [math.inf, 1.0, 3.5])
def test_noise_of_ones_own_is_the_same_however_many_members_there_are(nu: float) -> None:
    few, many = (GradientNoise(0.3, 5, nu, shared=False)(2, torch.zeros(members, 7)) for members in (2, 6))
    assert (many.shape, many.dtype) == ((6, 7), torch.float32)
    assert torch.equal(few, many[:2])
    assert torch.equal(few[0], GradientNoise(0.3, 5, nu)(2, torch.zeros(4, 7)))
    assert len(set(many.flatten().tolist())) == 42
    assert not torch.equal(GradientNoise(0.3, 5, nu, shared=False)(3, few), few)


@pytest.mark.parametrize("nu", [math.inf, 1.0, 2.0, 5.0])
def test_noise_has_the_law_of_its_name(nu: float) -> None:
    """Kolmogorov–Smirnov on 20 000 draws with a fixed seed: a scale that is 10 % off gives p < 1e-3."""
    drawn = GradientNoise(0.25, 1, nu, shared=False)(0, torch.zeros(200, 100, dtype=torch.float64))
    law = stats.norm(scale=0.25) if math.isinf(nu) else stats.t(nu, scale=0.25)
    assert stats.kstest(drawn.flatten().numpy(), law.cdf).pvalue > 0.01
    normal = stats.norm.ppf(law.cdf(drawn.numpy()))
    pairs = normal[:, ::2] * normal[:, 1::2]
    assert abs(pairs.mean()) < 4 / 10_000**0.5
    assert abs(np.square(pairs).mean() - 1) < 4 * (8 / 10_000) ** 0.5  # a multivariate t's entries share their size
