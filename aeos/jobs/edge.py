"""The sharpness of a run: what its settings ask to be measured, and the verdict over what was."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from aeos.dynamics import Sharpness, Watch
from aeos.errors import BadInput
from aeos.optimizers.rules import Rule
from aeos.problems.base import Problem
from aeos.problems.sampling import Batches
from aeos.theory.verdict import NEARLY_ZERO, verdict


def sharpness_watches(config: DictConfig, problem: Problem, rule: Rule) -> list[Watch]:
    """The observers of sharpness.csv and eigenvalues.csv; none where `sharpness.every` is null.

    Raises BadInput when the rule has no stability threshold, or more eigenvalues are asked for than there are.
    """
    wanted = config.sharpness
    if wanted.every is None:
        return []
    rule.stability_threshold()
    if wanted.top > problem.dim:
        raise BadInput(f"sharpness.top={wanted.top}: must be at most the number of parameters, {problem.dim}")
    fresh = Batches(problem.size, config.batch_size, config.seed + 1) if wanted.batches else None
    observer = Sharpness(
        top=wanted.top,
        tol=wanted.tol,
        catch=wanted.catch,
        midpoints=wanted.at == "midpoints",
        critical=wanted.critical,
        batches=fresh,
        count=wanted.batches,
        seed=config.seed,
    )
    return [Watch("sharpness", wanted.every, observer), Watch("eigenvalues", wanted.every, observer.eigenvalues)]


def judge(config: DictConfig, folder: Path) -> dict[str, Any]:
    """{"sharpness": where the run stood to the edge}, read off its own table; {} where it has none."""
    if config.sharpness.every is None:
        return {}
    import pandas as pd

    rows = pd.read_csv(folder / "sharpness.csv")
    nearly_zero = NEARLY_ZERO[config.problem.get("criterion", "mse")]
    found = verdict(rows["step"], rows["ratio"], rows["train_loss"], nearly_zero=nearly_zero)
    return {"sharpness": {"verdict": str(found), **asdict(found)}}
