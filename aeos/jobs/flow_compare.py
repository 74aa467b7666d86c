"""`aeos flow-compare`: an optimizer and its continuous-time models, from one start, on one clock."""

from __future__ import annotations

import torch
from omegaconf import DictConfig
from torch import Tensor

from aeos.curvature import third_derivatives
from aeos.dynamics import (
    CentralFlow,
    Coordinates,
    Discrete,
    Distances,
    Predictions,
    Process,
    Rest,
    Simulation,
    Spectrum,
    State,
    Watch,
    metrics,
)
from aeos.dynamics.compare import some_that_move
from aeos.errors import BadInput
from aeos.jobs.flow.averages import averages, smooth
from aeos.jobs.flow.models import MODELS
from aeos.jobs.flow.verdict import distances, told
from aeos.jobs.memory import fit
from aeos.jobs.optimizer import build_optimizer
from aeos.jobs.progress import progress
from aeos.jobs.threads import use_threads
from aeos.problems.build import build_problem
from aeos.results.folder import RunFolder
from aeos.results.summary import summarize


def run(config: DictConfig, folder: RunFolder) -> None:
    """Move them together and leave metrics, distances, coordinates, what they predict, a checkpoint and a summary."""
    problem = build_problem(config, folder.ranks)
    optimizer = build_optimizer(config, problem)
    known = MODELS[config.optimizer.name]
    flows = [known[name](optimizer, config) for name in config.flows or known]
    fit(problem, config.memory_gb, deep=any(isinstance(flow, CentralFlow) for flow in flows))
    theta = problem.init(config.seed)
    check(config, optimizer, flows, theta)
    with (
        use_threads(config, folder, problem, optimizer.batch(0)) as threads,
        folder.opened(problem.provenance(), threads) as recorder,
        progress(folder.path.name, config.steps) as advance,
    ):
        start = warmed(optimizer, theta, config.warmup) if config.warmup else theta
        simulation = Simulation([optimizer, *flows], start, [], recorder)
        simulation.watches = watches(config, simulation, theta)
        simulation.run(config.steps, advance)
        if not folder.ranks.first:
            return
        smooth(recorder, folder.path, config.smoothing)
        summary = summarize(folder.path / "metrics.csv", simulation.diverged)
        summary["reference"] = "midpoint" if "midpoint" in simulation.processes else optimizer.name
        summary["relative"] = distances(folder.path / "distances.csv", summary["reference"])
        summary["averages"] = averages(folder.path / "predictions.csv")
        recorder.finish(summary)
    print(f"{folder.path}: {told(summary, optimizer.name)}")


def check(config: DictConfig, optimizer: Discrete, flows: list[Process], theta: Tensor) -> None:
    """Raise BadInput before anything is written: for what is measured only later on and then could not be."""
    problem = optimizer.problem
    if config.sharpness.every is not None and config.sharpness.top > problem.dim:
        raise BadInput(f"sharpness.top={config.sharpness.top}: must be at most the number of parameters, {problem.dim}")
    if any(isinstance(flow, CentralFlow) for flow in flows):
        third_derivatives(optimizer.hessian_at(theta), torch.ones_like(theta)[None])


def warmed(optimizer: Discrete, theta: Tensor, steps: int) -> State:
    """Where the optimizer is after so many steps, or after the last one at which its loss was a number."""
    state = optimizer.init(theta)
    while state.step < steps and optimizer.healthy(state):
        state = optimizer.advance(state)
    return state


def watches(config: DictConfig, simulation: Simulation, theta: Tensor) -> list[Watch]:
    """Everything that is measured, of a simulation that stands at its start."""
    optimizer, every = config.optimizer.name, config.every
    problem = simulation.processes[optimizer].problem
    references = [name for name in (optimizer, "midpoint") if name in simulation.processes]
    index = some_that_move(problem, theta, config.coordinates, config.seed)
    found = [Watch("metrics", every, metrics)]
    for name in references:
        found.append(Watch("distances", every, Distances(name, simulation.states[name].theta.clone())))
    found += [Watch("coordinates", every, Coordinates(index)), Watch("predictions", every, Predictions(optimizer))]
    if config.sharpness.every is not None:
        measure = Spectrum(config.sharpness.top, config.sharpness.tol, config.seed)
        found.append(Watch("eigenvalues", config.sharpness.every, measure))
    if config.rest.every is not None:
        found.append(Watch("rest", config.rest.every, Rest(config.rest.tol)))
    return found
