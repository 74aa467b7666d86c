"""`aeos train`: one optimizer on one problem, watched."""

from __future__ import annotations

from omegaconf import DictConfig

from aeos.dynamics import Discrete, Simulation, Watch, metrics
from aeos.jobs.edge import judge, sharpness_watches
from aeos.jobs.progress import progress
from aeos.jobs.scale_invariance import scale_invariance_watches
from aeos.jobs.threads import use_threads
from aeos.optimizers import build_rule, build_schedule
from aeos.problems.build import build_problem, check_batch_size
from aeos.problems.sampling import Batches
from aeos.results.folder import RunFolder
from aeos.results.summary import summarize


def run(config: DictConfig, folder: RunFolder) -> None:
    """Train, or continue to, and leave metrics.csv, a checkpoint and a summary in the run folder."""
    problem = build_problem(config)
    check_batch_size(problem, config.batch_size)
    batches = Batches(problem.size, config.batch_size, config.seed) if config.batch_size else None
    rule, schedule = build_rule(config.optimizer), build_schedule(config.schedule, config.steps)
    process = Discrete(problem, rule, batches, schedule, name=config.optimizer.name, graph=config.sharpness.every)
    watches = [Watch("metrics", config.every, metrics), *sharpness_watches(config, problem, rule)]
    watches += scale_invariance_watches(config, problem, rule)
    start = problem.init(config.seed)
    with (
        use_threads(config, folder, problem, process.batch(0)) as threads,
        folder.opened(problem.provenance(), threads) as recorder,
        progress(folder.path.name, config.steps) as advance,
    ):
        simulation = Simulation([process], start, watches, recorder)
        simulation.run(config.steps, advance)
        summary = summarize(folder.path / "metrics.csv", simulation.diverged) | judge(config, folder.path)
        recorder.finish(summary)
    print(f"{folder.path}: {sentence(summary)}")


def sentence(summary: dict) -> str:
    """The closing line: how far it came and what it reached; a second one says where it stood to the edge."""
    end = (
        f"diverged at step {summary['diverged_at']}" if summary["status"] == "diverged" else f"{summary['steps']} steps"
    )
    numbers = [
        f"{name.replace('_', ' ')} {summary[name]:.4g}"
        for name in ("train_loss", "test_loss", "test_accuracy")
        if summary.get(name) is not None
    ]
    line = ", ".join([end, *numbers, f"{summary['wall_time']:.1f} s"])
    return f"{line}\n{summary['sharpness']['verdict']}" if "sharpness" in summary else line
