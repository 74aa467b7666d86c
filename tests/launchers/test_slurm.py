"""Would catch: a Slurm preset that loses its settings on the way, or a task that begins anew when its time was up."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from aeos.results.schema import METRICS

CLOCK = [column.name for column in METRICS if column.clock]
SLURM = Path(__file__).with_name("fake_slurm.py")
WORDS = ("train", "-m", "seed=0,1", "problem=teacher", "batch_size=16", "steps=8000", "checkpoint_seconds=0.1")
SETTINGS = ("launch=slurm", "launch.partition=gpu", "launch.minutes=7", "launch.cpus=2", "launch.memory_gb=3")


@pytest.fixture
def cluster(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine where sbatch and its like are at hand."""
    commands, state = tmp_path / "bin", tmp_path / "slurm"
    commands.mkdir()
    state.mkdir()
    for name in ("sbatch", "srun", "sacct", "scontrol"):
        file = commands / name
        file.write_text(f'#!/bin/sh\nexec {sys.executable} {SLURM} {name} "$@"\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return {
        **os.environ,
        "PATH": f"{commands}:{os.environ['PATH']}",
        "FAKE_SLURM": str(state),
        "FAKE_SLURM_TIMEOUTS": "2",
        "OMP_NUM_THREADS": "1",
    }


def aeos(folder: Path, *words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aeos", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    files = folder.glob("outputs/train/*/metrics.csv")
    return {file.parent.name: pd.read_csv(file).drop(columns=CLOCK) for file in files}


def test_an_array_job_out_of_time_is_requeued_and_resumes(cluster: dict[str, str], tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    assert aeos(here, *WORDS, env=cluster).returncode == 0
    done = aeos(tmp_path, *WORDS, *SETTINGS, env=cluster)
    assert (done.returncode, done.stderr) == (0, "")
    state = Path(cluster["FAKE_SLURM"])
    script = (state / "script").read_text().splitlines()
    wanted = {"--array=0-1%2", "--partition=gpu", "--time=7", "--cpus-per-task=2", "--mem=3GB"}
    assert {f"#SBATCH {option}" for option in wanted} <= set(script)
    found = tables(tmp_path)
    assert len(found) == 2
    for name, table in tables(here).items():
        pd.testing.assert_frame_equal(found[name], table, check_exact=True)
    for index in range(2):
        assert len((state / f"{index}.attempts").read_text().split()) == 3
    for log in tmp_path.glob("outputs/train/*/run.log"):
        assert log.read_text().count("begins") == 1
        assert log.read_text().count("continues from its checkpoint") >= 1
