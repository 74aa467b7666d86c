"""A job that is killed, once or more often, and then let finish, beside the tables it must leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from aeos.results.schema import TABLES


def killed(there: Path, words: Sequence[str], *ready: Callable[[], bool]) -> str:
    """Start the command in that new folder, kill -9 as soon as each `ready` holds, let it finish; what run.log says."""
    there.mkdir()
    command = [sys.executable, "-m", "aeos", *words, "checkpoint_seconds=0.05"]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(command, cwd=there, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    for holds in ready:
        run, deadline = start(), time.monotonic() + 120
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(run.pid, signal.SIGKILL)
        run.communicate()
        assert run.returncode == -signal.SIGKILL, "the run ended before it was killed: make it longer"
    assert start().communicate(timeout=120)[1] == ""
    (log,) = there.glob("outputs/*/*/run.log")
    return log.read_text()


def has_checkpoint(there: Path) -> Callable[[], bool]:
    return lambda: any(there.glob("outputs/*/*/checkpoint.pt"))


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Those of the folder's only run, without what depends on the clock."""
    found = {}
    for file in folder.glob("outputs/*/*/*.csv"):
        clock = [column.name for column in TABLES[file.stem] if column.clock]
        found[file.stem] = pd.read_csv(file).drop(columns=clock)
    return found


def assert_same(one: Path, other: Path) -> dict[str, pd.DataFrame]:
    """The same tables, to the last digit; returns them."""
    found, wanted = tables(one), tables(other)
    assert found.keys() == wanted.keys()
    for name, table in found.items():
        pd.testing.assert_frame_equal(table, wanted[name], check_exact=True)
    return found
