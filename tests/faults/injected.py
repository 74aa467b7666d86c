"""Faults that strike inside a command, at a moment that is counted instead of timed."""

from __future__ import annotations

import ctypes
import errno
import itertools
import logging
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from aeos.dynamics.discrete import Discrete
from aeos.results import folder, table

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def inject(kind: str = "none", **how: Any) -> None:
    """Make ready the fault of that name."""
    context = multiprocessing.get_context
    multiprocessing.get_context = lambda method=None: context("fork")  # type: ignore[assignment]  # spawning costs 3 s
    {"none": lambda: None, "stop": stop, "full": full, "limit": limit, "clock": clock, "nan": nan, "nobody": nobody}[
        kind
    ](**how)


def counted(at: int, strike: Callable[[], None]) -> Callable[[], None]:
    """Strikes when it is called for the `at`-th time."""
    count = itertools.count(1)
    return lambda: strike() if next(count) == at else None


def stop(point: str, at: int, signal_: int, file: str = "") -> None:
    """End this process at the `at`-th row written (whole: `row`, by half: `torn`), or the `at`-th time that a file
    whose name has `file` in it is about to be moved into place (`before`) or has been (`after`).
    """
    strike = counted(at, lambda: os.kill(os.getpid(), signal_))
    write, replace = os.write, os.replace

    def writing(number: int, data: bytes) -> int:
        if point == "torn":
            found = write(number, data[: len(data) // 2])
            strike()
            return found
        found = write(number, data)
        strike()
        return found

    def replacing(source: Path, target: Path) -> None:
        if point == "before" and file in target.name:
            strike()
        replace(source, target)
        if point == "after" and file in target.name:
            strike()

    if point in ("row", "torn"):
        _os_of(table, write=writing)
    else:
        os.replace = replacing  # type: ignore[assignment]


def full(at: int, what: str) -> None:
    """From the `at`-th row, `fsync`, line of run.log or opening of a file on the disk is full."""
    begun = itertools.count(1)

    def strike() -> None:
        if next(begun) >= at:
            raise FULL

    def refusing(call: Callable[..., Any]) -> Callable[..., Any]:
        def refused(*args: Any, **options: Any) -> Any:
            strike()
            return call(*args, **options)

        return refused

    if what == "row":
        write = os.write

        def writing(number: int, data: bytes) -> int:
            if next(begun) < at:
                return write(number, data)
            if len(data) > 1:
                return write(number, data[: len(data) // 2])
            raise FULL

        _os_of(table, write=writing)
    elif what == "fsync":
        os.fsync = refusing(os.fsync)
    elif what == "log":
        folder.RunLog.flush = refusing(logging.FileHandler.flush)  # type: ignore[method-assign]
    else:
        opened = Path.open
        Path.open = lambda path, mode="r", *rest, **options: (  # type: ignore[method-assign,assignment]
            refusing(opened) if "w" in mode else opened
        )(path, mode, *rest, **options)


def limit(size: int) -> None:
    """No file may grow beyond so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def clock(at: int, years: float, name: str) -> None:
    """From its `at`-th reading on, that clock is so many years ahead."""
    begun, read = itertools.count(1), getattr(time, name)
    setattr(time, name, lambda: read() + (years * 3.15e7 if next(begun) >= at else 0.0))


def nan(member: int, step: int) -> None:
    """One member of an ensemble is no number after that step."""
    advance = Discrete.advance

    def broken(self: Discrete, state: Any) -> Any:
        state = advance(self, state)
        if state.step == step and state.theta.ndim == 2:
            state.theta[member] = torch.nan
        return state

    Discrete.advance = broken  # type: ignore[method-assign]


def nobody() -> None:
    """Root, too, may write only where the folder says so: without CAP_DAC_OVERRIDE."""
    libc = ctypes.CDLL(None)
    header, capabilities = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, capabilities)
    for index in range(3):
        capabilities[index] &= ~(1 << 1)
    libc.capset(header, capabilities)


def _os_of(module: Any, **calls: Callable[..., Any]) -> None:
    """Give one module its own `os`, in which these calls are others."""
    fake = type(os)("os")
    fake.__dict__.update(os.__dict__, **calls)
    module.os = fake


SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
