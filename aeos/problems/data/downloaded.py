"""MNIST, Fashion-MNIST and CIFAR-10 as torchvision stores them: read from data.data_dir, fetched when allowed."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aeos.errors import BadInput
from aeos.problems.data.dataset import Labelled
from aeos.problems.require import require

#: name of the data set: (torchvision's class, the folder it keeps under data_dir)
SETS = {
    "mnist": ("MNIST", "MNIST"),
    "fashion_mnist": ("FashionMNIST", "FashionMNIST"),
    "cifar10": ("CIFAR10", "cifar-10-batches-py"),
}
PATIENCE = 20.0  # seconds without an answer before a server counts as unreachable


def downloaded(cfg: Any) -> Labelled:
    """x (N, channels, height, width) uint8 with the published test set.

    Raises BadInput naming data.data_dir or data.download when the files are missing, damaged, or cannot be fetched.
    """
    kind, folder = SETS[cfg.name]
    sets = require("torchvision.datasets", "torchvision", f"data={cfg.name}")
    home = Path(cfg.data_dir) / folder
    found = home.is_dir() and any(path.is_file() for path in home.rglob("*"))
    if not found and not cfg.download:
        raise BadInput(f"data.data_dir={cfg.data_dir} has no {folder}/: put {cfg.name} there or set data.download=true")
    try:
        with quiet_and_impatient(), leaving_no_empty_folders(Path(cfg.data_dir)):
            train, test = (
                getattr(sets, kind)(cfg.data_dir, train=part, download=cfg.download) for part in (True, False)
            )
    except Exception as error:  # torchvision and the parsers under it raise whatever a damaged file makes them raise
        reason = " ".join(str(error).split()) or type(error).__name__
        if found:
            advice = f"{home} is incomplete or damaged ({reason}): delete it and set data.download=true"
        else:
            advice = f"{cfg.name} could not be downloaded ({reason}): go online, or put {folder}/ into data.data_dir"
        raise BadInput(f"data.data_dir={cfg.data_dir}: {advice}") from error
    return Labelled("image", *arrays(train), official=arrays(test))


def arrays(part: Any) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of one torchvision set: grey images are (N, h, w), coloured ones (N, h, w, 3)."""
    x = np.asarray(part.data)
    x = x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x), np.asarray(part.targets, dtype=np.int64)


@contextlib.contextmanager
def leaving_no_empty_folders(root: Path) -> Iterator[None]:
    """torchvision makes its folders before it knows whether it can fill them."""
    before = {root, *root.rglob("*")} if root.exists() else set()
    try:
        yield
    finally:
        for path in sorted({root, *root.rglob("*")} - before, reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


@contextlib.contextmanager
def quiet_and_impatient() -> Iterator[None]:
    """torchvision prints what it tries and waits for silent servers for ever; neither is wanted here."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        with contextlib.redirect_stdout(None):
            yield
    finally:
        socket.setdefaulttimeout(before)
