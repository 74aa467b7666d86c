"""SIGKILL at random moments, again and again: the tables of the run that survives are the undisturbed run's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from aeos.results.schema import METRICS
from tests.conftest import Said
from tests.faults.server import Server

KILLS = 20
WORDS = ("train", "problem=teacher", "batch_size=16", "steps=40000", "every=50", "sharpness.every=400")
OFTEN = (*WORDS, "checkpoint_seconds=0.05")
TABLES = ("metrics", "sharpness", "eigenvalues")
CLOCK = [column.name for column in METRICS if column.clock]


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "aeos", *OFTEN]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows(folder: Path, table: str = "metrics") -> str:
    """A table as text, clock columns left out: equal text means no row lost, doubled or changed in any digit."""
    (file,) = folder.glob(f"outputs/train/*/{table}.csv")
    read = pd.read_csv(file, dtype=str, keep_default_na=False)
    return read.drop(columns=[name for name in CLOCK if name in read]).to_csv(index=False)


def lines(folder: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in folder.glob("outputs/train/*/metrics.csv"))


def log_lines(folder: Path) -> int:
    return sum(len(file.read_text().splitlines()) for file in folder.glob("outputs/train/*/run.log"))


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    generator = random.Random(0)
    whole, killed, server, reached = tmp_path / "whole", tmp_path / "killed", Server(), list[int]()
    assert server.run(whole, OFTEN).code == 0
    for kill in range(KILLS):
        begun, further = log_lines(killed), lines(killed) + generator.randrange(1, 30)
        pid = server.start(killed, OFTEN)
        if kill % 5:  # every fifth kill may hit the start-up
            wait_until(lambda begun=begun, further=further: log_lines(killed) > begun and lines(killed) >= further)
        time.sleep(generator.uniform(0.0, 0.1))
        os.kill(pid, signal.SIGKILL)
        assert server.end().code == -signal.SIGKILL, "the run ended before it was killed: make it longer"
        reached.append(lines(killed))
    assert len(set(reached)) > KILLS // 2, "it was hardly ever killed while it made progress"
    last = server.run(killed, OFTEN)
    assert (last.code, last.err) == (0, "")
    server.close()
    for table in TABLES:
        assert rows(killed, table) == rows(whole, table)
        assert rows(whole, table).count("\n") > 100


def test_a_second_process_on_the_same_run_says_so_and_stops(aeos: Callable[..., Said], tmp_path: Path) -> None:
    first = start(tmp_path)
    try:
        wait_until(lambda: list(tmp_path.glob("outputs/train/*/metrics.csv")))
        second = aeos(*WORDS)
        assert (second.code, second.err.count("\n")) == (2, 1)
        assert "being written by another process" in second.err
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate()


@pytest.mark.parametrize("damage", ["checkpoint.pt", "metrics.csv", "env.json"])
def test_a_damaged_run_says_what_to_do(damage: str, aeos: Callable[..., Said], tmp_path: Path) -> None:
    words = (*WORDS, "steps=100")
    assert aeos(*words).code == 0
    (run,) = tmp_path.glob("outputs/train/*")
    (run / "done.json").unlink()  # as a kill before the last moment leaves it
    (run / damage).write_bytes((run / damage).read_bytes()[:40])
    again = aeos(*words)
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "force=true" in again.err
