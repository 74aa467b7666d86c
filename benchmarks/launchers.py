"""A multirun of 16 trainings with two workers against the same with one: what a launcher is worth.

    python benchmarks/launchers.py [--rounds 2] [--steps 15000] [joblib | workers ...]

Each round runs `aeos train -m seed=0,…,15 launch=<launcher>` once with one worker and once with two, in a new process
and a new folder each time, start included; the ratio is one/two, above 1 where two are faster. Their tables are
compared, so that both did the same work.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from aeos.results.schema import METRICS

CLOCK = [column.name for column in METRICS if column.clock]
RUNS = 16


def seconds(launcher: str, workers: int, steps: int, out: Path) -> float:
    """How long the whole command takes."""
    words = ["train", "-m", f"seed=range(0,{RUNS})", "model.width=64", f"steps={steps}", "threads=1", f"out={out}"]
    command = [sys.executable, "-m", "aeos", *words, f"launch={launcher}", f"launch.workers={workers}"]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return time.perf_counter() - began


def tables(out: Path) -> list[pd.DataFrame]:
    return [pd.read_csv(file).drop(columns=CLOCK) for file in sorted(out.glob("train/*/metrics.csv"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("launchers", nargs="*", default=["joblib"], help="joblib, workers")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=15000)
    asked = parser.parse_args()
    for launcher in asked.launchers:
        ratios = []
        for _ in range(asked.rounds):
            with tempfile.TemporaryDirectory() as folder:
                one, two = (seconds(launcher, n, asked.steps, Path(folder, str(n))) for n in (1, 2))
                found, wanted = tables(Path(folder, "2")), tables(Path(folder, "1"))
                assert len(found) == len(wanted) == RUNS
                assert all(a.equals(b) for a, b in zip(found, wanted, strict=True))
            ratios.append(one / two)
            print(f"{launcher}: one worker {one:.1f} s, two {two:.1f} s, ratio {one / two:.2f}", flush=True)
        print(f"{launcher}: ratio {statistics.median(ratios):.2f} (median of {asked.rounds}), tables equal")


if __name__ == "__main__":
    main()
