"""Our training loop against a plain torch.optim loop, side by side in one process.

    python benchmarks/train.py [--rounds 9] [--csv FILE]

Both train the same network on the same minibatches with Adam (lr 1e-3) and evaluate both data sets as often. The plain
loop is what anyone would write: nn.Module, fused torch.optim.Adam, a list of losses. Ours is `aeos train`'s: one flat
vector, a CSV row written at each evaluation, checkpoints every second. Rounds are interleaved; the ratio is the median
over rounds of ours/plain, below 1 where ours is faster. Final parameters are compared, so that both did the same work.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import hydra
import torch
from omegaconf import DictConfig

from aeos import schema
from aeos.dynamics import Discrete, Simulation, Watch, metrics
from aeos.optimizers import build_rule
from aeos.paths import conf_dir
from aeos.problems.build import build_problem
from aeos.problems.models.build import seeded
from aeos.problems.network import Network
from aeos.problems.sampling import Batches
from aeos.results.folder import RunFolder

CASES = {  # overrides, steps a round, steps between evaluations
    "mlp": (["data=digits", "model=mlp", "batch_size=32"], 1000, 250),
    "cnn": (["data=mnist5k", "model=cnn", "batch_size=64", "data.n=1000", "data.test=500"], 60, 60),
    "transformer": (["data=text", "model=transformer", "batch_size=16", "data.n=200", "data.test=50"], 60, 60),
}


def ours(config: DictConfig, problem: Network, batches: Batches, steps: int, every: int) -> tuple[float, torch.Tensor]:
    with tempfile.TemporaryDirectory() as out:
        config = config.copy()
        config.out = out
        with RunFolder("train", config).opened({}) as recorder:
            process = Discrete(problem, build_rule(config.optimizer), batches)
            simulation = Simulation([process], problem.init(0), [Watch("metrics", every, metrics)], recorder)
            began = time.perf_counter()
            states = simulation.run(steps)
            return time.perf_counter() - began, states["discrete"].theta


def plain(problem: Network, batches: Batches, steps: int, every: int) -> tuple[float, torch.Tensor]:
    model = seeded(problem.make, 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    losses: list[float] = []
    began = time.perf_counter()
    for step in range(steps + 1):
        if step % every == 0:
            with torch.no_grad():
                for samples in (problem.train, problem.test):
                    outputs = torch.cat([model(part) for part in samples.x.split(250)])
                    losses.append(problem.criterion(outputs, samples.y).item())
                    losses.append((outputs.argmax(-1) == samples.y).float().mean().item())
        if step == steps:
            break
        index = batches.indices(step)
        optimizer.zero_grad()
        problem.criterion(model(problem.train.x[index]), problem.train.y[index]).backward()
        optimizer.step()
    return time.perf_counter() - began, torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def compare(name: str, threads: int, rounds: int) -> dict[str, object]:
    overrides, steps, every = CASES[name]
    config = hydra.compose("train", [*overrides, "optimizer=adam", "checkpoint_seconds=1"])
    torch.set_num_threads(threads)
    problem = build_problem(config)
    assert isinstance(problem, Network)
    batches = Batches(problem.size, config.batch_size, 0)
    sides: dict[str, Callable[[], tuple[float, torch.Tensor]]] = {
        "ours": lambda: ours(config, problem, batches, steps, every),
        "plain": lambda: plain(problem, batches, steps, every),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(rounds + 1):
        theta = {}
        for side in sorted(sides, reverse=bool(turn % 2)):
            spent, theta[side] = sides[side]()
            if turn:  # the first round warms up
                seconds[side].append(spent)
    ratios = [a / b for a, b in zip(seconds["ours"], seconds["plain"], strict=True)]
    gap = ((theta["ours"] - theta["plain"]).norm() / theta["plain"].norm()).item()
    return {
        "net": name,
        "parameters": problem.dim,
        "threads": threads,
        "plain_ms": f"{1e3 * statistics.median(seconds['plain']) / steps:.3f}",
        "ours_ms": f"{1e3 * statistics.median(seconds['ours']) / steps:.3f}",
        "ratio": f"{statistics.median(ratios):.3f}",
        "lowest": f"{min(ratios):.3f}",
        "highest": f"{max(ratios):.3f}",
        "parameters_differ_by": f"{gap:.1e}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--csv", help="write the table here as well")
    parser.add_argument("nets", nargs="*", help=", ".join(CASES))
    wanted = parser.parse_args()
    schema.register()
    default = torch.get_num_threads()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        rows = [compare(name, t, wanted.rounds) for name in wanted.nets or CASES for t in sorted({1, default})]
    for file in [sys.stdout, *([open(wanted.csv, "w")] if wanted.csv else [])]:  # noqa: SIM115
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(f"torch {torch.__version__}, {os.cpu_count()} cores", file=sys.stderr)


if __name__ == "__main__":
    main()
