"""Locks that the kernel holds for a process, so that they are free again after any death."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aeos.errors import BadInput


@contextmanager
def held(folder: Path, wait: bool = False) -> Iterator[None]:
    """The lock of a folder, which is made where it is not there yet.

    Raises BadInput when another process holds it and we are not to `wait`, OSError when nothing can be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    except BlockingIOError:
        raise BadInput(f"{folder} is being written by another process: wait for it, or stop it first") from None
    finally:
        os.close(lock)
