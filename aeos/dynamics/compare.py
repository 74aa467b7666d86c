"""Processes side by side: how far apart they are, and where chosen parameters of each go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from aeos.dynamics.flows import CentralFlow
from aeos.dynamics.observers import Moment, Row
from aeos.dynamics.process import Driven
from aeos.problems.base import Problem


def rms(x: Tensor) -> float:
    """(mean xᵢ²)^½, in float64."""
    return x.double().square().mean().sqrt().item()


@dataclass(frozen=True)
class Distances:
    """rms(θ − θ*)/rms(θ* − θ₀) of each process but the one whose name is `reference`, with parameters θ*

    `start`: θ₀, where the reference begins. The ratio is absent where θ* has not moved, and there are no rows where the
    reference moves no more.
    """

    reference: str
    start: Tensor

    def __call__(self, moment: Moment) -> Iterator[Row]:
        if self.reference not in moment.states:
            return
        there = moment.states[self.reference][1].theta
        displacement = rms(there - self.start)
        for name, (_, state) in moment.states.items():
            if name != self.reference:
                distance = rms(state.theta - there)
                yield {
                    "step": state.step,
                    "process": name,
                    "reference": self.reference,
                    "distance": distance,
                    "displacement": displacement,
                    "relative": distance / displacement if displacement else None,
                }


@dataclass(frozen=True)
class Coordinates:
    """θᵢ of each process for i in `index` (n,), gᵢ² and, where the process has them, νᵢ and what it predicts of gᵢ²."""

    index: Tensor

    def __call__(self, moment: Moment) -> Iterator[Row]:
        for name, (process, state) in moment.states.items():
            columns = {"value": state.theta}
            if isinstance(process, Driven):
                columns["squared_gradient"] = process.look(state)[1].square()
            if "v" in state.memory:
                columns["second_moment"] = state.memory["v"].expand_as(state.theta)
            if isinstance(process, CentralFlow):
                columns["predicted_squared_gradient"] = process.linearize(state).squared_gradient(process.ridge)
            index = self.index.to(state.theta.device)
            chosen = zip(*(column[index].tolist() for column in columns.values()), strict=True)
            for i, values in zip(self.index.tolist(), chosen, strict=True):
                yield {"step": state.step, "process": name, "index": i, **dict(zip(columns, values, strict=True))}


def some_that_move(problem: Problem, start: Tensor, count: int, seed: int) -> Tensor:
    """So many entries of θ drawn at random, in order, among those with a gradient at the start; (count,), or all."""
    candidates = problem.value_and_gradient(start)[1].nonzero().flatten().cpu()
    drawn = torch.randperm(len(candidates), generator=torch.Generator().manual_seed(seed))[:count]
    return candidates[drawn].sort().values
