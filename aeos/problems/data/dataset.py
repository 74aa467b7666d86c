"""The record of a data set, and what every family shares: sizes, split, label noise, preprocessing, content hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aeos.errors import BadInput

#: A target that neither loss nor accuracy counts (torch's ignore_index).
IGNORED = -100


@dataclass(frozen=True)
class Dataset:
    """Preprocessed samples on the CPU, training and test.

    kind "table": x (n, features); "image": x (n, channels, height, width); "sequence": x (n, t) int64 symbols.
    y is int64, (n,), or (n, t) for sequences, where IGNORED marks positions that do not count.
    `classes` is the number of labels or symbols; `digest` a hash of the raw samples, whatever the precision.
    """

    name: str
    kind: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    classes: int
    digest: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.x_train.shape[1:])


@dataclass(frozen=True)
class Labelled:
    """Raw labelled samples x (N, …), y (N,), before the split; `official` holds those of a published test set."""

    kind: str
    x: np.ndarray
    y: np.ndarray
    official: tuple[np.ndarray, np.ndarray] | None = None


def sizes(cfg: Any, available: int, official: int | None = None) -> tuple[int, int]:
    """(training, test) sample counts from data.n and data.test, null meaning all that are left for it.

    Raises BadInput with the numbers when there are too few.
    """
    if official is not None:
        n, test = cfg.n or available, cfg.test or official
        fits = n <= available and test <= official
        has = f"{available} training and {official} test samples"
    else:
        n = cfg.n or available - (cfg.test or 0)
        test = cfg.test or max(available - n, 0)
        fits = n >= 1 and n + test <= available
        has = f"{available} samples"
    if not fits:
        raise BadInput(f"data.n={cfg.n} and data.test={cfg.test}: data={cfg.name} has {has}; lower them")
    return n, test


def prepare(cfg: Any, raw: Labelled, dtype: torch.dtype) -> Dataset:
    """First data.classes classes, seeded split, label noise, standardisation by the training samples, in this order.

    Without a published test set, training and test samples are the first data.n and the next data.test of one
    permutation seeded by data.seed, so that a smaller n is a part of a larger one.
    """
    classes = int(raw.y.max()) + 1
    if cfg.classes is not None:
        if cfg.classes > classes:
            raise BadInput(f"data.classes={cfg.classes}: data={cfg.name} has {classes} classes")
        classes = cfg.classes
    rng = np.random.default_rng(cfg.seed)
    order = rng.permutation(np.flatnonzero(raw.y < classes))
    if raw.official is None:
        n, test = sizes(cfg, len(order))
        x_test, y_test = raw.x[order[n : n + test]], raw.y[order[n : n + test]]
    else:
        other = rng.permutation(np.flatnonzero(raw.official[1] < classes))
        n, test = sizes(cfg, len(order), len(other))
        x_test, y_test = (part[other[:test]] for part in raw.official)
    x_train, y_train = raw.x[order[:n]], relabel(raw.y[order[:n]], classes, cfg)
    digest = fingerprint(x_train, y_train, x_test, y_test)
    train, held_out = standardize(raw.kind, torch.from_numpy(x_train), torch.from_numpy(x_test), dtype)
    return Dataset(cfg.name, raw.kind, train, labels(y_train), held_out, labels(y_test), classes, digest)


def labels(y: np.ndarray) -> Tensor:
    return torch.from_numpy(y.astype(np.int64))


def relabel(y: np.ndarray, classes: int, cfg: Any) -> np.ndarray:
    """y with round(data.label_noise · counted) counted labels redrawn uniformly; a redrawn label may be the old one."""
    flat = y.flatten()
    counted = np.flatnonzero(flat != IGNORED)
    rng = np.random.default_rng([cfg.seed, 1])
    chosen = rng.permutation(counted)[: round(cfg.label_noise * len(counted))]
    flat[chosen] = rng.integers(classes, size=len(chosen))
    return flat.reshape(y.shape)


def standardize(kind: str, train: Tensor, test: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(x − mean over training samples)/σ;  σ: one number for images, one per feature for tables; constants stay 0."""
    mean = train.mean(0, dtype=torch.float64).to(dtype)
    train, test = train.to(dtype) - mean, test.to(dtype) - mean
    axes = tuple(range(train.ndim)) if kind == "image" else (0,)
    scale = train.square().mean(axes, dtype=torch.float64).sqrt().to(dtype)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return train / scale, test / scale


def fingerprint(*arrays: np.ndarray, extra: str = "") -> str:
    """The first 16 hex digits of sha256 over shapes, types and contents."""
    digest = hashlib.sha256(extra.encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
