"""What an ensemble's members do along a run, kept apart: max-updates at every step, scores every so often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aeos.dynamics.observers import Moment, Row


class Members:
    """To be called at every step of a single process whose θ is (points, d); writes no rows, holds arrays instead.

    `updates` (steps, points): ‖u_n‖∞ of step n = 0, 1, …. `seen` (observations,): the steps observed, every `every`-th,
    the last, and those at which a member diverged; `scores[name]` (observations, points). `diverged` (points,): at
    which step a member's loss was no number any more, −1 where it never was.
    """

    def __init__(self, points: int, steps: int, every: int) -> None:
        self.points, self.steps, self.every = points, steps, every
        self.updates = torch.full((steps, points), torch.nan, dtype=torch.float64)
        self.diverged = torch.full((points,), -1, dtype=torch.int64)
        self.seen: list[int] = []
        self.scores: dict[str, list[Tensor]] = {}

    def __call__(self, moment: Moment) -> Iterator[Row]:
        ((process, state),) = moment.states.values()
        if state.update is not None:
            self.updates[moment.step - 1] = state.update.abs().amax(-1)
        lost = ~process.look(state)[0].isfinite().cpu() & (self.diverged < 0)  # type: ignore[attr-defined]
        self.diverged[lost] = moment.step
        if moment.step % self.every == 0 or moment.step == self.steps or bool(lost.any()):
            self.seen.append(moment.step)
            for name, values in process.problem.scores(state.theta).items():
                self.scores.setdefault(name, []).append(values)
        return iter(())

    def column(self, name: str, member: int) -> np.ndarray:
        """(observations,): one score of one member."""
        return np.array([float(values[member]) for values in self.scores[name]])

    def pack(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("updates", "diverged", "seen", "scores")}

    def unpack(self, packed: dict[str, Any]) -> None:
        vars(self).update(packed)
