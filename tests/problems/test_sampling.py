"""Catches minibatches that repeat or miss a sample, or that depend on what was asked before."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aeos.problems.sampling import Batches


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
