"""How many threads a run uses: one where a step is small, for a second one would only cost time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from omegaconf import DictConfig

from aeos.problems.base import Batch, Problem
from aeos.results.folder import RunFolder

WORTH_SHARING = 2e7  # operations of a forward pass; measured: below it two threads are no faster than one


@contextmanager
def use_threads(config: DictConfig, folder: RunFolder, problem: Problem, batch: Batch | None) -> Iterator[int]:
    """Give torch as many threads as the setting says, else as the run began with, else as its size deserves.

    Yields their number, and puts back what was there: the next run of a sweep must not inherit it.
    """
    threads = config.threads or (None if config.force else folder.threads)
    threads = threads or (torch.get_num_threads() if problem.work(batch) > WORTH_SHARING else 1)
    threads = folder.ranks.agree(threads)
    with with_threads(threads):
        yield threads


@contextmanager
def with_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
