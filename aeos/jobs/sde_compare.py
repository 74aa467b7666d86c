"""`aeos sde-compare`: many runs of an optimizer beside as many paths of its SDEs, from one start, on one clock."""

from __future__ import annotations

import torch
from omegaconf import DictConfig

from aeos.dynamics import Simulation, Watch
from aeos.dynamics.compare import some_that_move
from aeos.dynamics.ensemble import Averages, Ensemble
from aeos.jobs.progress import progress
from aeos.jobs.sde.processes import build_processes
from aeos.jobs.sde.settings import effective
from aeos.jobs.sde.verdict import judge, sentence
from aeos.jobs.threads import use_threads
from aeos.problems.build import build_problem
from aeos.results.folder import RunFolder


def run(config: DictConfig, folder: RunFolder) -> None:
    """Move them together and leave moments.csv, gaps.csv, averages.csv, paths.csv, a checkpoint and a summary."""
    config = effective(config)
    problem = build_problem(config)
    start = problem.init(config.seed)
    optimizer, sdes = build_processes(config, problem, start)
    with (
        use_threads(config, folder, problem, optimizer.batch(0)) as threads,
        folder.opened(problem.provenance(), threads) as recorder,
        progress(folder.path.name, config.steps) as advance,
    ):
        if problem.dim <= config.coordinates:
            index = torch.arange(problem.dim)
        else:
            index = some_that_move(problem, start, config.coordinates, config.seed)
        begin = int(config.window * config.steps)
        ensemble = Ensemble(optimizer.name, index, config.steps, begin, config.shown)
        tables = {"moments": ensemble.moments, "gaps": ensemble.gaps, "paths": ensemble.paths}
        watches = [Watch(table, config.every, observer) for table, observer in tables.items()]
        watches.append(Watch("averages", config.every, Averages(ensemble)))
        paths = start.expand(config.paths, -1)
        simulation = Simulation([optimizer, *sdes], paths, watches, recorder)
        simulation.run(config.steps, advance)
        summary = judge(folder.path, optimizer.name, simulation.diverged)
        summary["wall_time"] = round(simulation.elapsed, 3)
        recorder.finish(summary)
    print(f"{folder.path}: {sentence(summary, optimizer.name, config.paths)}")
