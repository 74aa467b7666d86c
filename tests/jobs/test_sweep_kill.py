"""SIGKILL during a sweep, ten times: the same tables as undisturbed, no point computed twice, no worker left behind."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tests.faults.server import Server

KILLS = 10
WORDS = ("sweep-stability", "curve.points=60", "data.n=40", "data.test=20", "model.width=8", "steps=400", "every=20")


def words(workers: int) -> list[str]:
    return [*WORDS, "block=3", f"workers={workers}", "checkpoint_seconds=0.05"]


def table(folder: Path, name: str) -> str:
    """As text without clock columns, in the order of its points: equal text means equal in every digit."""
    (file,) = folder.glob(f"outputs/sweep_stability/*/{name}.csv")
    read = pd.read_csv(file, dtype=str, keep_default_na=False).drop(columns="wall_time", errors="ignore")
    keys = ["seed", "beta", "gamma"]
    assert not read.duplicated([*keys, *(["step"] if "step" in read else [])]).any()
    return read.sort_values(keys, kind="stable").to_csv(index=False)


def log(folder: Path) -> str:
    return "".join(file.read_text() for file in folder.glob("outputs/sweep_stability/*/run.log"))


def computed(folder: Path) -> Counter[str]:
    lines = (line.partition("computed ")[2] for line in log(folder).splitlines() if "computed " in line)
    return Counter(point for line in lines for point in line.split("; "))


def checkpoints(folder: Path) -> list[int]:
    """Changes whenever a block has come further."""
    kept = sorted(folder.glob("outputs/sweep_stability/*/blocks/*.pt"))
    return [file.stat().st_mtime_ns for file in kept if file.exists()]


def children(pid: int) -> list[Path]:
    return [Path("/proc", child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running(process: Path) -> bool:
    try:
        return not re.search(r"^State:\s+Z", (process / "status").read_text(), re.M)
    except OSError:
        return False


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ctrl_c_is_one_line_and_leaves_no_worker(tmp_path: Path) -> None:
    long = [*words(2), "steps=100000", "every=1000"]
    run = subprocess.Popen(
        [sys.executable, "-m", "aeos", *long], cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_until(lambda: checkpoints(tmp_path))
    offspring = children(run.pid)
    assert len(offspring) >= 2
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (130, "aeos: interrupted; the same command continues\n")
    wait_until(lambda: not any(map(running, offspring)))


def test_ten_kills_change_nothing(tmp_path: Path) -> None:
    generator = random.Random(0)
    whole, killed, server, reached = tmp_path / "whole", tmp_path / "killed", Server(), list[int]()
    assert server.run(whole, words(0)).code == 0
    for kill in range(KILLS):
        look = checkpoints if kill % 3 == 2 else computed  # in the middle of a block, or after the end of one
        before = look(killed)
        pid = server.start(killed, words(2 * (kill % 3 == 1)))
        wait_until(lambda look=look, before=before: look(killed) != before)
        time.sleep(generator.uniform(0.0, 0.3))
        os.kill(pid, signal.SIGKILL)
        ended = server.end()
        assert ended.code == -signal.SIGKILL, "the sweep ended before it was killed: make it longer"
        assert ended.orphans == 0
        reached.append(sum(computed(killed).values()))
    assert len(set(reached)) > KILLS // 2, "it was hardly ever killed while it made progress"
    last = server.run(killed, words(0))
    assert (last.code, last.err) == (0, "")
    server.close()
    assert computed(killed) == computed(whole)
    assert set(computed(killed).values()) == {1}
    for name in ("points", "trajectories"):
        assert table(killed, name) == table(whole, name)
    assert len(computed(whole)) == 60
