"""How scale-invariant weights move, beside what the continuous-time laws make of their updates: rows along a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aeos.dynamics.discrete import Discrete
from aeos.dynamics.observers import Moment, Row
from aeos.theory.scale_invariance import implied_stage, momentum_factor, rotate, squared_norm

#: Whose norm steers which of the integrated directions.
NORMS = ("true", "published", "corrected")

Columns = dict[str, np.ndarray]  # of a table, each (m,)


@dataclass
class Track:
    """One process: its matrices W_k and W_0 (m, d), their ‖W‖² by the published and by the corrected law (2, m),
    directions integrated with each of NORMS (3, m, d), the implied stage's average of ‖u‖² (m,) and what the weights of
    that average add up to (1,).
    """

    now: np.ndarray
    start: np.ndarray
    predicted: np.ndarray
    directions: np.ndarray
    average: np.ndarray
    total: np.ndarray

    @classmethod
    def begin(cls, weights: np.ndarray) -> Track:
        squares = np.sum(weights**2, axis=-1)
        directions = np.stack([weights / np.sqrt(squares)[:, None]] * len(NORMS))
        return cls(weights, weights, np.stack([squares] * 2), directions, np.zeros_like(squares), np.zeros(1))

    @np.errstate(all="ignore")
    def move(self, weights: np.ndarray, u: np.ndarray, m: np.ndarray, lr: float, decay: float, gamma: float) -> Columns:
        """Follow the step W → `weights` = (1 − ηλ)W − ηu, u = m/P; returns the columns that are about this step."""
        squares, norms = np.sum(u * u, axis=-1), np.linalg.norm(self.now, axis=-1)
        inner = np.sum(self.now * u, axis=-1)
        found = {
            "squared_update": squares,
            "inner": inner,
            "normalization_cosine": cosine(u, m),
            "rotation": angle(self.now, weights),
        }
        if lr * decay:
            stage = implied_stage(lr, decay)
            self.average = stage.beta2 * self.average + (1 - stage.beta2) * squares
            self.total = stage.beta2 * self.total + (1 - stage.beta2)
            across = np.sqrt(squares - (inner / norms) ** 2)
            implied = stage.effective_lr * across / np.sqrt(self.average / self.total)
            found |= {"implied_rotation": implied, "corrected_rotation": implied / np.sqrt(momentum_factor(gamma))}
        self.directions = rotate(self.directions, u, np.stack([norms, *np.sqrt(self.predicted)]), lr)
        rates = np.array([[0.0], [gamma]])  # the published law is the corrected one without momentum
        self.predicted = squared_norm(self.predicted, squares[None, None], lr, decay, rates)[-1]
        self.now = weights
        return found

    @np.errstate(all="ignore")
    def columns(self) -> Columns:
        """The columns that are about W_k."""
        errors = angle(self.directions, self.now)
        return {
            "squared_norm": np.sum(self.now**2, axis=-1),
            **dict(zip(NORMS[1:], self.predicted, strict=True)),
            "angle": angle(self.start, self.now),
            **{f"angle_error_{name}": error for name, error in zip(NORMS, errors, strict=True)},
        }


@dataclass
class ScaleInvariance:
    """‖W‖² and W/‖W‖ of every scale-invariant matrix W, true and by their laws, and how well the laws' assumptions hold

    `slices` says where in θ they lie, all of one length. `follow` must see every step; the rows of scale_invariance.csv
    and, from `alignments`, those of alignments.csv come every `every` steps. Followed are processes of one first moment
    m with u = m/P under decoupled decay, their first-moment rate γ = beta1. Laws: aeos.theory.scale_invariance, with
    the lr of each step. Assumptions (arXiv 2411.05746): ⟨W(t), g(τ)⟩ ≈ 0 for τ ≤ t, by `lags` t − τ, g the gradients
    that the steps used; and u ≈ m/(one number a matrix), by their cosine.
    """

    slices: Mapping[str, slice]
    every: int = 1
    lags: Sequence[int] = ()
    tracks: dict[str, Track] = field(default_factory=dict, init=False)
    gradients: dict[str, dict[int, np.ndarray]] = field(default_factory=dict, init=False)
    moved: dict[str, Columns] = field(default_factory=dict, init=False)  # of the step that led here

    def follow(self, moment: Moment) -> Iterator[Row]:
        """No rows: what has to happen at every step."""
        for name, (process, state) in moment.states.items():
            if not isinstance(process, Discrete):
                continue
            weights = self._cut(state.theta)
            if state.update is None:
                self.tracks[name], self.moved[name] = Track.begin(weights), {}
            else:
                rule: Any = process.rule
                lr, u, m = float(process.lr(state.step - 1)), self._cut(state.update), self._cut(state.memory["m"])
                self.moved[name] = self.tracks[name].move(weights, u, m, lr, rule.weight_decay, rule.beta1)
            kept = self.gradients.setdefault(name, {})
            if self._last_use(state.step) >= 0:
                kept[state.step] = self._cut(process.look(state)[1])
            self.gradients[name] = {step: g for step, g in kept.items() if self._last_use(step) >= state.step}
        return iter(())

    def __call__(self, moment: Moment) -> Iterator[Row]:
        """The rows of scale_invariance.csv: one a matrix."""
        for name in self._followed(moment):
            columns = self.tracks[name].columns() | self.moved[name]
            for index, matrix in enumerate(self.slices):
                about = {"step": moment.step, "process": name, "matrix": matrix}
                yield about | {column: float(values[index]) for column, values in columns.items()}

    def alignments(self, moment: Moment) -> Iterator[Row]:
        """The rows of alignments.csv: one a matrix and lag, for those lags whose gradient there was and still is."""
        for name in self._followed(moment):
            for lag in self.lags:
                gradient = self.gradients[name].get(moment.step - lag)
                if gradient is not None:
                    for matrix, value in zip(self.slices, cosine(self.tracks[name].now, gradient), strict=True):
                        about = {"step": moment.step, "process": name, "matrix": matrix}
                        yield about | {"lag": lag, "cosine": float(value)}

    def pack(self) -> dict[str, Any]:
        tracks = {name: {key: torch.from_numpy(x) for key, x in vars(t).items()} for name, t in self.tracks.items()}
        gradients = {
            name: {step: torch.from_numpy(g) for step, g in kept.items()} for name, kept in self.gradients.items()
        }
        return {"tracks": tracks, "gradients": gradients}

    def unpack(self, packed: dict[str, Any]) -> None:
        for name, track in packed["tracks"].items():
            self.tracks[name] = Track(**{key: x.numpy() for key, x in track.items()})
            self.gradients[name] = {step: g.numpy() for step, g in packed["gradients"][name].items()}

    def _followed(self, moment: Moment) -> list[str]:
        return [name for name in moment.states if name in self.tracks]

    def _cut(self, theta: Tensor) -> np.ndarray:
        """(m, d), a copy in float64."""
        return torch.stack([theta[part] for part in self.slices.values()]).double().cpu().numpy()

    def _last_use(self, step: int) -> int:
        """The last step at which rows need the gradient of this one; −1: none does."""
        uses = (step + lag for lag in self.lags)
        return max((use for use in uses if use % self.every == 0), default=-1)


@np.errstate(all="ignore")
def cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """cos ∠(x, y) over the last axis."""
    return np.sum(x * y, axis=-1) / (np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1))


@np.errstate(all="ignore")
def angle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """∠(x, y) = 2·atan2(‖x̂ − ŷ‖, ‖x̂ + ŷ‖) over the last axis, in radians: exact for small angles too."""
    x, y = (z / np.linalg.norm(z, axis=-1, keepdims=True) for z in (x, y))
    return 2 * np.arctan2(np.linalg.norm(x - y, axis=-1), np.linalg.norm(x + y, axis=-1))
