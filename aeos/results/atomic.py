"""Files that are there whole or not at all."""

from __future__ import annotations

import fcntl
import glob
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from aeos.errors import BadInput


def write(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Let `fill` write a temporary file beside `path`, put it on disk, then move it into place in one step.

    Its writer holds a lock on it: one of `path` that nobody holds is what a kill left, and goes.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        _clear(left)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with _held(temporary) as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _held(temporary: Path) -> BinaryIO:
    """A new file with a lock; another process may have taken it for a left one before the lock was ours."""
    while True:
        file = temporary.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(temporary), os.fstat(file.fileno())):
                return file
        file.close()


def _clear(left: Path) -> None:
    with suppress(OSError), left.open("r+b") as file:  # held, or gone by now
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left.unlink()


def write_text(path: Path, text: str) -> None:
    write(path, lambda file: file.write(text.encode()))


def write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A disk that is full or forbids it, in here, is the user's to mend: BadInput that names the file."""
    try:
        yield
    except OSError as error:
        advice = "see to that, then the same command continues"
        raise BadInput(f"{path}: cannot be written ({error.strerror or error}): {advice}") from error
