"""How many threads a run uses: one where a step is small, for a second one would only cost time."""

from __future__ import annotations

import torch
from omegaconf import DictConfig

from aeos.problems.base import Batch, Problem
from aeos.results.folder import RunFolder

WORTH_SHARING = 2e7  # operations of a forward pass; measured: below it two threads are no faster than one


def use_threads(config: DictConfig, folder: RunFolder, problem: Problem, batch: Batch | None) -> int:
    """Set torch's threads and return how many: what the setting says, else what the run began with, else by size."""
    cores = torch.get_num_threads()
    threads = config.threads or (None if config.force else folder.threads)
    threads = threads or (cores if problem.work(batch) > WORTH_SHARING else 1)
    torch.set_num_threads(threads)
    return threads
