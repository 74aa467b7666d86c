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

KILLS = 10
WORDS = ("sweep-stability", "curve.points=60", "data.n=40", "data.test=20", "model.width=8", "steps=400", "every=20")


def start(folder: Path, workers: int) -> subprocess.Popen[str]:
    words = [*WORDS, "block=3", f"workers={workers}", "checkpoint_seconds=0.05"]
    command = [sys.executable, "-m", "aeos", *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


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
    words = [*WORDS, "steps=100000", "every=1000", "workers=2", "block=3", "checkpoint_seconds=0.05"]
    run = subprocess.Popen(
        [sys.executable, "-m", "aeos", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
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
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    assert start(whole, 0).wait(timeout=300) == 0
    reached = []
    for kill in range(KILLS):
        look = checkpoints if kill % 3 == 2 else computed  # in the middle of a block, or after the end of one
        before = look(killed)
        run = start(killed, workers=2 * (kill % 3 == 1))
        wait_until(lambda look=look, before=before: look(killed) != before)
        time.sleep(generator.uniform(0.0, 0.3))
        offspring = children(run.pid)
        run.send_signal(signal.SIGKILL)
        assert run.wait(timeout=60) == -signal.SIGKILL, "the sweep ended before it was killed: make it longer"
        run.communicate()
        wait_until(lambda offspring=offspring: not any(map(running, offspring)))
        reached.append(sum(computed(killed).values()))
    assert len(set(reached)) > KILLS // 2, "it was hardly ever killed while it made progress"
    _, err = start(killed, 0).communicate(timeout=300)
    assert err == ""
    assert computed(killed) == computed(whole)
    assert set(computed(killed).values()) == {1}
    for name in ("points", "trajectories"):
        assert table(killed, name) == table(whole, name)
    assert len(computed(whole)) == 60
