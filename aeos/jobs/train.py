"""`aeos train`: one optimizer on one problem, watched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from aeos.dynamics import Simulation, Watch, metrics
from aeos.jobs.edge import judge, sharpness_watches
from aeos.jobs.memory import fit
from aeos.jobs.optimizer import build_optimizer
from aeos.jobs.progress import progress
from aeos.jobs.scale_invariance import scale_invariance_watches
from aeos.jobs.self_stabilization import self_stabilization_watches
from aeos.jobs.threads import use_threads
from aeos.problems.base import Problem
from aeos.problems.build import build_problem
from aeos.results.folder import RunFolder
from aeos.results.summary import summarize


def run(config: DictConfig, folder: RunFolder) -> None:
    """Train, or continue to, and leave metrics.csv, a checkpoint and a summary in the run folder."""
    problem = build_problem(config, folder.ranks)
    make_room(config, problem)
    process = build_optimizer(config, problem, graph=config.sharpness.every)
    watches = [Watch("metrics", config.every, metrics), *sharpness_watches(config, problem, process.rule)]
    watches += scale_invariance_watches(config, problem, process.rule)
    watches += self_stabilization_watches(config, process.rule)
    start = problem.init(config.seed)
    with (
        use_threads(config, folder, problem, process.batch(0)) as threads,
        folder.opened(problem.provenance(), threads) as recorder,
        progress(folder.path.name, config.steps) as advance,
    ):
        simulation = Simulation([process], start, watches, recorder)
        simulation.run(config.steps, advance)
        if not folder.ranks.first:
            return
        summary = summarize(folder.path / "metrics.csv", simulation.diverged) | judge(config, folder.path)
        recorder.finish(summary)
    print(f"{folder.path}: {sentence(summary)}")


def make_room(config: DictConfig, problem: Problem) -> None:
    """Keep to `memory_gb` what is in memory at once: the Hessian at θ, and those of further measurements beside it."""
    cubic, sharpness = config.self_stabilization.every is not None, config.sharpness
    held = 1 + (sharpness.at == "midpoints") + cubic + bool(sharpness.batches)
    fit(problem, config.memory_gb, deep=cubic, held=held)


def sentence(summary: dict) -> str:
    """The closing line: how far it came and what it reached; a second one says where it stood to the edge."""
    end = (
        f"diverged at step {summary['diverged_at']}" if summary["status"] == "diverged" else f"{summary['steps']} steps"
    )
    line = ", ".join([end, *reached(summary), f"{summary['wall_time']:.1f} s"])
    return f"{line}\n{summary['sharpness']['verdict']}" if "sharpness" in summary else line


def reached(summary: Mapping[str, Any]) -> list[str]:
    """`train loss 0.1`, … : those of the closing numbers that there are."""
    names = ("train_loss", "test_loss", "test_accuracy")
    return [f"{name.replace('_', ' ')} {summary[name]:.4g}" for name in names if summary.get(name) is not None]
