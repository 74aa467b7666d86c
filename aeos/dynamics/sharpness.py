"""How sharp the loss is where an optimizer stands, against the sharpest it can stand: rows along a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from aeos.curvature import (
    Eigenpairs,
    Hessian,
    NotFinite,
    Operator,
    Preconditioned,
    SharpnessTracker,
    along_gradients,
    critical_sharpness,
)
from aeos.dynamics.discrete import Discrete, hessian_of
from aeos.dynamics.observers import Moment, Row
from aeos.dynamics.process import State
from aeos.problems.base import Problem
from aeos.problems.sampling import Batches


@dataclass
class Sharpness:
    """sharpness λ₁(H), preconditioned sharpness λ₁(P^{-½}(H + ρI)P^{-½}), the threshold, and the ratio of the last two

    H is the Hessian of the full-batch loss at θ_k, or at the second-order midpoint (θ_{k−1} + 2θ_k + θ_{k+1})/4, in
    which an oscillation of period 2 cancels; P divides the step that leaves θ_k; ρ is an L2 penalty. A tracker follows
    the `top` largest eigenvalues of each operator, and of the second one as many as exceed `catch`·threshold.

    On demand: the critical sharpness along P⁻¹∇L by forward passes, and the batch sharpness over `count` minibatches
    drawn from `batches` at each measurement. The displacement is how far θ_k is from the midpoint along the top
    eigenvector v: vᵀP^{½}(θ_k − midpoint); at the edge it changes its sign at every step.
    """

    top: int = 1
    tol: float = 1e-3
    catch: float | None = None
    midpoints: bool = False
    critical: bool = False
    batches: Batches | None = None
    count: int = 0
    seed: int = 0
    trackers: dict[str, SharpnessTracker] = field(default_factory=dict, init=False)
    steps: dict[str, float] = field(default_factory=dict, init=False)  # the last critical one of each process
    found: list[Row] = field(default_factory=list, init=False)

    def __call__(self, moment: Moment) -> Iterator[Row]:
        """The rows of sharpness.csv: one an optimizer. Where nothing finite is left to measure, they say so by gaps."""
        self.found = []
        for name, (process, state) in moment.states.items():
            if isinstance(process, Discrete):
                row: dict[str, Any] = {"step": state.step, "process": name, "threshold": process.threshold(state.step)}
                try:
                    row |= self._measure(row, process, state)
                except NotFinite:
                    row["train_loss"] = math.nan
                yield row

    def eigenvalues(self, moment: Moment) -> Iterator[Row]:
        """The rows of eigenvalues.csv: all that this moment's measurement found."""
        yield from self.found

    def _measure(self, row: Row, process: Discrete, state: State) -> dict[str, Any]:
        ahead, memory = process.ahead(state)
        if not bool(ahead.isfinite().all()):
            raise NotFinite("the next step overflows")
        p, midpoint = process.rule.preconditioner(memory), process.midpoint(state, ahead)
        theta = midpoint if self.midpoints else state.theta
        hessian = process.hessian_at(theta) if self.midpoints else process.hessian(state)
        catch = None if self.catch is None else self.catch * row["threshold"]
        ridge = float(process.rule.ridge)
        if p is None and not ridge:
            pairs = plain = self._follow(row, "hessian", hessian, theta, catch)
        else:
            plain = self._follow(row, "hessian", hessian, theta, None)
            operator = Preconditioned(hessian, torch.ones_like(theta[:1]) if p is None else p, ridge)
            pairs = self._follow(row, "preconditioned", operator, theta, catch)
        largest, swing = float(pairs.values[0]), state.theta - midpoint
        if p is not None:
            swing = torch.where(p.isinf(), 0.0, p.sqrt() * swing)  # what does not move is where it was
        found = {
            "train_loss": hessian.value.item(),
            "sharpness": float(plain.values[0]),
            "preconditioned_sharpness": largest,
            "ratio": largest / row["threshold"],
            "displacement": float(pairs.vectors[0] @ swing),
            "residual": float(pairs.residuals[0]),
            "matvecs": plain.matvecs + (pairs.matvecs if pairs is not plain else 0),
        }
        return found | self._cheaper(row, process, theta, hessian, p)

    def _follow(self, row: Row, operator: str, product: Operator, like: Tensor, catch: float | None) -> Eigenpairs:
        """The eigenvalues of one operator, noted for eigenvalues.csv."""
        key = f"{row['process']}/{operator}"
        tracker = self.trackers.setdefault(key, SharpnessTracker(self.top, tol=self.tol, seed=self.seed))
        pairs = tracker.measure(product, like, catch)
        about = {"step": row["step"], "process": row["process"], "operator": operator}
        for index, (value, residual) in enumerate(zip(pairs.values.tolist(), pairs.residuals.tolist(), strict=True), 1):
            self.found.append(about | {"index": index, "value": value, "residual": residual})
        return pairs

    def _cheaper(
        self, row: Row, process: Discrete, theta: Tensor, hessian: Hessian, p: Tensor | None
    ) -> dict[str, Any]:
        """What scales to large models, where it was asked for."""
        found: dict[str, Any] = {}
        problem, name = process.problem, str(row["process"])
        if self.critical:
            direction = hessian.gradient if p is None else hessian.gradient / p
            start = self.steps.get(name) or 2 / row["threshold"]
            critical = critical_sharpness(partial(in_pieces, problem), theta, direction, start=start)
            self.steps[name] = critical.step
            found |= {"critical_sharpness": critical.value, "passes": critical.evaluations}
        if self.batches is not None and self.count:
            drawn = (self.batches.indices(row["step"] * self.count + i) for i in range(self.count))
            mean = along_gradients(hessian_of(problem, theta, problem.batch(indices)) for indices in drawn)
            found |= {"batch_sharpness": mean.mean, "batch_sharpness_error": mean.error}
        return found

    def pack(self) -> dict[str, Any]:
        return {"trackers": {key: tracker.pack() for key, tracker in self.trackers.items()}, "steps": dict(self.steps)}

    def unpack(self, packed: dict[str, Any]) -> None:
        self.steps = packed["steps"]
        for key, content in packed["trackers"].items():
            self.trackers[key] = SharpnessTracker(self.top, tol=self.tol)
            self.trackers[key].unpack(content)


def in_pieces(problem: Problem, theta: Tensor) -> Tensor:
    """The full-batch loss, a piece in memory at a time."""
    (total,) = problem.ranks.total(torch.stack([weight * build()[0] for weight, build in problem.pieces(theta)]).sum())
    return total
