"""`aeos flow-compare`: an optimizer and its continuous-time models, from one start, on one clock."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from aeos.dynamics import (
    ContinuousAdam,
    Coordinates,
    Discrete,
    Distances,
    GradientFlow,
    Process,
    Simulation,
    Watch,
    metrics,
)
from aeos.dynamics.compare import some_that_move
from aeos.dynamics.observers import Observer
from aeos.jobs.optimizer import build_optimizer
from aeos.jobs.progress import progress
from aeos.jobs.threads import use_threads
from aeos.jobs.train import sentence
from aeos.problems.build import build_problem
from aeos.results.folder import RunFolder
from aeos.results.summary import number, summarize


def _adam(form: Any, optimizer: Discrete, config: DictConfig) -> ContinuousAdam:
    return ContinuousAdam(optimizer, form, config.substeps, name=f"adam_{form}")


def _gradient_flow(optimizer: Discrete, config: DictConfig) -> GradientFlow:
    return GradientFlow(optimizer)


#: name of the optimizer → name in `flows` → from the optimizer and the settings to its model; those of the schema.
MODELS: dict[str, dict[str, Callable[[Discrete, DictConfig], Process]]] = {
    "gd": {"gradient_flow": _gradient_flow},
    "adam": {f"adam_{form}": partial(_adam, form) for form in ("order1", "order2", "corrected")},
}


def run(config: DictConfig, folder: RunFolder) -> None:
    """Move them together and leave metrics.csv, distances.csv, coordinates.csv, a checkpoint and a summary."""
    problem = build_problem(config)
    optimizer = build_optimizer(config, problem)
    known = MODELS[config.optimizer.name]
    flows = [known[name](optimizer, config) for name in config.flows or known]
    start = problem.init(config.seed)
    with (
        use_threads(config, folder, problem, optimizer.batch(0)) as threads,
        folder.opened(problem.provenance(), threads) as recorder,
        progress(folder.path.name, config.steps) as advance,
    ):
        index = some_that_move(problem, start, config.coordinates, config.seed)
        observers: dict[str, Observer] = {
            "metrics": metrics,
            "distances": Distances(optimizer.name, start),
            "coordinates": Coordinates(index),
        }
        watches = [Watch(table, config.every, observer) for table, observer in observers.items()]
        simulation = Simulation([optimizer, *flows], start, watches, recorder)
        simulation.run(config.steps, advance)
        summary = summarize(folder.path / "metrics.csv", simulation.diverged)
        summary["relative"] = relative(folder.path / "distances.csv")
        recorder.finish(summary)
    print(f"{folder.path}: {told(summary, optimizer.name)}")


def relative(distances: Path) -> dict[str, dict[str, float | None]]:
    """For each model the relative distance at its end, its mean and its largest over the run; null is no number."""
    import pandas as pd

    groups = pd.read_csv(distances).groupby("process", sort=False)["relative"]
    return {
        str(name): {
            key: number(value)
            for key, value in {"end": found.iloc[-1], "mean": found.mean(), "largest": found.max()}.items()
        }
        for name, found in groups
    }


def told(summary: dict[str, Any], optimizer: str) -> str:
    """The closing lines: how far the optimizer came, and how far from it each model is in the end."""
    processes = summary["processes"]
    about = {
        name: f"{100 * end:.2g}%" if (end := shares["end"]) is not None else "not a number"
        for name, shares in summary["relative"].items()
    }
    about |= {
        name: f"diverged at step {entry['diverged_at']}"
        for name, entry in processes.items()
        if name in about and entry["diverged_at"] is not None
    }
    own = processes[optimizer]
    line = sentence(own | {"status": "finished" if own["diverged_at"] is None else "diverged"})
    parts = ", ".join(f"{name} {text}" for name, text in about.items())
    return f"{line}\nrms distance from {optimizer}, as a share of how far it came: {parts}"
