"""The sweep that every launcher must do alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

SWEEP = ("train", "-m", "seed=0,1", "optimizer=gd,adam", "problem=teacher", "steps=50")
CLOCKS = ["wall_time"]


def aeos(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, in that folder."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "aeos", *words]
    paths = {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    }
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **paths, **env}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """By run, its metrics without the clock; every run finished."""
    runs = sorted((folder / "outputs" / "train").iterdir())
    assert all(json.loads((run / "summary.json").read_text())["status"] == "finished" for run in runs)
    return {run.name: pd.read_csv(run / "metrics.csv").drop(columns=CLOCKS) for run in runs}


def check_alike(here: Path, there: Path, *words: str, **env: str) -> None:
    """launch=here and `words` leave the same tables, bit by bit, and nothing but runs; again is no work."""
    one, other = aeos(here, *SWEEP), aeos(there, *SWEEP, *words, **env)
    assert (one.returncode, one.stderr) == (0, "")
    assert (other.returncode, other.stderr) == (0, "")
    expected, got = tables(here), tables(there)
    assert expected.keys() == got.keys()
    assert len(got) == 4
    for name in expected:
        pd.testing.assert_frame_equal(got[name], expected[name], check_exact=True)
    assert {path.name for path in there.iterdir()} == {"outputs"}


def check_failing(folder: Path, *words: str, **env: str) -> None:
    """A run that fails says so in one line; the others finish."""
    said = aeos(folder, "train", "-m", "data.n=50,5000,60", "batch_size=10", "steps=2", *words, **env)
    assert said.returncode == 2, said
    assert len(said.stderr.splitlines()) == 1, said.stderr
    assert said.stderr.startswith("aeos: data.n=5000")
    assert len(list(folder.glob("outputs/train/*/done.json"))) == 2
