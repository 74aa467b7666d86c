"""One block of points: an ensemble moved from its start, or its own checkpoint, to the end, and the rows it leaves."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from aeos.dynamics import Discrete, Simulation, Watch
from aeos.dynamics.members import Members
from aeos.jobs.sweep.points import Point
from aeos.optimizers import build_rule, build_schedule
from aeos.optimizers.rules import Rule
from aeos.problems.base import Problem
from aeos.problems.sampling import Batches, GradientNoise
from aeos.results import checkpoint
from aeos.theory import stability

Rows = dict[str, list[dict[str, Any]]]

SHORTEST = 4  # steps that a fit window needs

#: Rules whose step is A_{β,γ} of some sequence: what they divide by is no smaller than Adam's own.
BOUNDED = ("adam", "amsgrad", "kadam")


class Store:
    """The checkpoint of one block, in the place of a run's recorder; `saved_every` seconds."""

    def __init__(self, folder: Path, block: Sequence[Point], saved_every: float) -> None:
        name = hashlib.sha256(json.dumps(block).encode()).hexdigest()[:16]
        self.path, self.seconds = folder / f"{name}.pt", saved_every
        self.next_save = time.monotonic() + saved_every

    def write(self, table: str, row: Any) -> None:
        raise TypeError("a block keeps arrays, not rows")

    def restore(self) -> dict[str, Any] | None:
        return checkpoint.load(self.path)

    def due(self) -> bool:
        return time.monotonic() >= self.next_save

    def save(self, content: dict[str, Any]) -> None:
        self.path.parent.mkdir(exist_ok=True)
        checkpoint.save(self.path, content)
        self.next_save = time.monotonic() + self.seconds


def member_rule(config: DictConfig, block: Sequence[Point]) -> Rule:
    """The optimizer with β₂ = β and β₁ = γ of each point: (points, 1) tensors, plain numbers for one."""
    rule: Any = build_rule(config.optimizer)
    if len(block) == 1:
        return replace(rule, beta1=block[0].gamma, beta2=block[0].beta)
    beta, gamma, _ = (torch.tensor(column, dtype=torch.float64)[:, None] for column in zip(*block, strict=True))
    return replace(rule, beta1=gamma, beta2=beta)


def member_process(config: DictConfig, problem: Problem, block: Sequence[Point]) -> Discrete:
    """The ensemble of a block: one start, one order of minibatches and one noise, those of the seed it shares."""
    seed = block[0].seed
    return Discrete(
        problem,
        member_rule(config, block),
        Batches(problem.size, config.batch_size, seed) if config.batch_size else None,
        build_schedule(config.schedule, config.steps),
        name="points",
        noise=GradientNoise(config.noise, seed) if config.noise else None,
    )


def run_block(
    config: DictConfig, problem: Problem, block: Sequence[Point], folder: Path, progress: Callable[[int], None]
) -> Rows:
    """The rows of points.csv and trajectories.csv of these points, which share a seed."""
    process, store = member_process(config, problem, block), Store(folder, block, config.checkpoint_seconds)
    members = Members(len(block), config.steps, config.every)
    start = problem.init(block[0].seed).expand(len(block), -1)
    simulation = Simulation([process], start, [Watch("members", 1, members)], store)
    simulation.run(config.steps, progress)
    found: Rows = {"trajectories": [], "points": []}
    for number, point in enumerate(block):
        trajectory = _trajectory(point, members, number)
        found["trajectories"] += trajectory
        ends = _end(config, process.rule, members, number, trajectory)
        found["points"].append({**_about(point), **ends, "wall_time": round(simulation.elapsed / len(block), 3)})
    return found


def forget(folder: Path, block: Sequence[Point]) -> None:
    """Its checkpoint, once its rows are kept elsewhere."""
    Store(folder, block, 0.0).path.unlink(missing_ok=True)


def _about(point: Point) -> dict[str, Any]:
    return {
        **point._asdict(),
        "coefficient": stability.stability_coefficient(point.beta, point.gamma),
        "discrete_coefficient": stability.discrete_stability_coefficient(point.beta, point.gamma),
    }


def _trajectory(point: Point, members: Members, number: int) -> list[dict[str, Any]]:
    lost = int(members.diverged[number])
    rows = []
    for index, step in enumerate(members.seen):
        if 0 <= lost < step:
            break
        if step % members.every and step not in (lost, members.steps):
            continue  # observed for the sake of another member
        row = {**point._asdict(), "step": step}
        row |= {name: float(values[index][number]) for name, values in members.scores.items()}
        rows.append(row | ({"max_update": float(members.updates[step - 1, number])} if step else {}))
    return rows


def _end(
    config: DictConfig, rule: Rule, members: Members, number: int, trajectory: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    lost = int(members.diverged[number])
    taken = config.steps if lost < 0 else lost
    updates = members.updates[:taken, number].numpy()
    row: dict[str, Any] = {"status": "finished" if lost < 0 else "diverged", "diverged_at": None if lost < 0 else lost}
    finite = updates[np.isfinite(updates)]
    row["largest_update"] = float(finite.max()) if len(finite) else None
    with np.errstate(divide="ignore"):
        logs = np.log(updates)
    row["bound_ratio"] = _bound_ratio(rule, logs, number)
    first = int(config.fit_from * config.steps)
    if lost < 0 and taken - first >= SHORTEST and np.isfinite(logs[first:]).all():
        (slope, _), covariance = np.polyfit(np.arange(first, taken) - first, logs[first:], 1, cov=True)
        row |= {"slope": slope, "slope_error": math.sqrt(covariance[0, 0]), "fit_from": first, "fit_to": taken - 1}
    last = trajectory[-1]
    row |= {name: last[name] for name in members.scores}
    tested = [
        (seen["test_loss"], seen["step"]) for seen in trajectory if math.isfinite(seen.get("test_loss", math.nan))
    ]
    if tested:
        row["best_test_loss"], row["best_test_loss_step"] = min(tested)
    return row


def _bound_ratio(rule: Any, logs: np.ndarray, number: int) -> float | None:
    """The largest ‖u_n‖∞ over its discrete bound, that of the last stage of several; None where no bound is known."""
    if rule.name not in BOUNDED or getattr(rule, "freeze", None) is not None or not len(logs):
        return None
    gamma, beta = rule.rates[-1] if rule.name == "kadam" else (rule.beta1, rule.beta2)
    beta, gamma = (float(rate[number]) if isinstance(rate, torch.Tensor) else rate for rate in (beta, gamma))
    corrected = getattr(rule, "bias_correction", True)
    bound = stability.log_max_update_bound(
        np.arange(len(logs)), beta, gamma, form="discrete", bias_correction=corrected
    )
    return float(np.exp(np.nanmax(logs - bound)))
