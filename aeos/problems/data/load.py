"""From data settings to a data set."""

from __future__ import annotations

from typing import Any

import torch

from aeos.problems.data import downloaded, embedded, sequences
from aeos.problems.data.dataset import Dataset, prepare

LABELLED = {
    "digits": embedded.digits,
    "breast_cancer": embedded.breast_cancer,
    "mnist5k": embedded.mnist5k,
    "mnist": downloaded.downloaded,
    "fashion_mnist": downloaded.downloaded,
    "cifar10": downloaded.downloaded,
}
SEQUENCES = {"text": sequences.text, "sorting": sequences.sorting}


def load(cfg: Any, dtype: torch.dtype = torch.float32) -> Dataset:
    """The data set that `cfg` (a node of group data) names, real inputs in `dtype`. Raises BadInput naming data.…"""
    if cfg.name in SEQUENCES:
        return SEQUENCES[cfg.name](cfg)
    return prepare(cfg, LABELLED[cfg.name](cfg), dtype)
