"""A 64-point (β, γ) sweep against the loop anyone would write: point after point, torch.optim.Adam, all threads.

    python benchmarks/sweep.py [--rounds 3] [--csv FILE] [mlp | transformer ...]

Both train the same networks on the same minibatches from the same start. Ours is what `aeos sweep-stability` does: its
plan, its blocks, its worker processes, their start included, its checkpoints, the max-update of every step. The plain
loop is timed on a few of the points before and after each of our sweeps; its seconds per point times 64 are compared.
The ratio is plain/ours, above 1 where ours is faster; `without_start` leaves out the time until the first worker is
ready. Test losses at the end are compared, so that both did the same work.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import hydra
import torch
from omegaconf import DictConfig

from aeos import schema
from aeos.jobs.sweep.plan import make_plan
from aeos.jobs.sweep.points import Point, blocks, points
from aeos.jobs.sweep.workers import run_blocks
from aeos.paths import conf_dir
from aeos.problems.build import build_problem
from aeos.problems.models.build import seeded
from aeos.problems.network import Network
from aeos.problems.sampling import Batches

CASES = {  # overrides, steps: our default MLP on its default minibatches, a wider one on larger ones, a transformer
    "mlp": (["data=digits", "model=mlp", "batch_size=64"], 2000),
    "wide_mlp": (["data=digits", "model=mlp", "model.width=64", "model.depth=1", "batch_size=128"], 2000),
    "transformer": (
        ["data=text", "model=transformer", "model.width=64", "batch_size=16", "data.n=160", "data.test=32"],
        100,
    ),
}
SHARED = ["problem=network", "dtype=float32", "optimizer=adam", "curve=section", "optimizer.lr=1e-3"]


def plain(problem: Network, config: DictConfig, point: Point) -> float:
    """The test loss after all steps of one point."""
    torch.manual_seed(0)
    model = seeded(problem.make, point.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.optimizer.lr, betas=(point.gamma, point.beta))
    batches = Batches(problem.size, config.batch_size, point.seed)
    losses = [
        problem.metrics(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))["test_loss"]
    ]
    for step in range(config.steps):
        index = batches.indices(step)
        optimizer.zero_grad()
        loss = problem.criterion(model(problem.train.x[index]), problem.train.y[index])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    theta = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    return float(problem.metrics(theta)["test_loss"])


def ours(problem: Network, config: DictConfig) -> tuple[float, float, str, dict[Point, float]]:
    """(seconds, seconds until the first step was reported, the plan, test losses)"""
    first: list[float] = []
    found: dict[Point, float] = {}
    began = time.perf_counter()

    def tell(number: int, step: int) -> None:
        first.append(time.perf_counter() - began)

    with tempfile.TemporaryDirectory() as folder:
        wanted = points(config)
        plan = make_plan(config, problem, wanted, None)
        for _, rows in run_blocks(
            config, problem, list(blocks(wanted, (), plan.block)), Path(folder), plan.workers, tell
        ):
            found |= {Point.of(row): row["test_loss"] for row in rows["points"]}
    return time.perf_counter() - began, min(first), f"{plan.workers} x {plan.block}", found


def compare(name: str, rounds: int, sample: int) -> dict[str, object]:
    overrides, steps = CASES[name]
    config = hydra.compose("sweep_stability", [*SHARED, *overrides, f"steps={steps}", f"every={steps}"])
    problem = build_problem(config)
    assert isinstance(problem, Network)
    cores, wanted = torch.get_num_threads(), points(config)
    chosen = wanted[:: len(wanted) // sample]
    ratios, bare, gaps, plans, alone = [], [], [], set(), []

    def sequential() -> tuple[float, dict[Point, float]]:
        torch.set_num_threads(cores)
        began = time.perf_counter()
        found = {point: plain(problem, config, point) for point in chosen}
        spent = (time.perf_counter() - began) / len(chosen)
        torch.set_num_threads(1)
        return spent, found

    before, losses = sequential()
    for _ in range(rounds):
        spent, start, plan, found = ours(problem, config)
        after, _ = sequential()
        whole = (before + after) / 2 * len(wanted)
        before = after
        ratios.append(whole / spent)
        bare.append(whole / (spent - start))
        alone.append(whole / len(wanted) / steps)
        gaps += [abs(found[point] / losses[point] - 1) for point in chosen]
        plans.add(plan)
    torch.set_num_threads(cores)
    return {
        "net": name,
        "parameters": problem.dim,
        "plain_ms_a_step": f"{1e3 * statistics.median(alone):.3f}",
        "workers_x_block": " ".join(sorted(plans)),
        "ratio": f"{statistics.median(ratios):.2f}",
        "lowest": f"{min(ratios):.2f}",
        "highest": f"{max(ratios):.2f}",
        "without_start": f"{statistics.median(bare):.2f}",
        "losses_differ_by": f"{statistics.median(gaps):.1e}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", type=int, default=8, help="points that the plain loop is timed on")
    parser.add_argument("--csv", help="write the table here as well")
    parser.add_argument("nets", nargs="*", help=", ".join(CASES))
    wanted = parser.parse_args()
    schema.register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        rows = [compare(name, wanted.rounds, wanted.sample) for name in wanted.nets or CASES]
    for file in [sys.stdout, *([open(wanted.csv, "w")] if wanted.csv else [])]:  # noqa: SIM115
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(f"torch {torch.__version__}, {os.cpu_count()} cores", file=sys.stderr)


if __name__ == "__main__":
    main()
