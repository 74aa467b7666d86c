"""Many paths of several processes: means with their errors, and how far a model's are from the real ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from aeos.dynamics.observers import Moment, Row
from aeos.dynamics.process import Process, State

Values = dict[str, Tensor]  # quantity → (paths,), float64 on the CPU


@dataclass
class Ensemble:
    """Quantities of every path at every observation: the problem's scores, θᵢ, θᵢ² and, where there is one, vᵢ.

    `reference` names the process that gaps are taken to; `index` (n,): which i; `shown` paths are written at every
    observation, all at `last`; time averages begin at step `begin`. Its four tables are to be watched together.
    """

    reference: str
    index: Tensor
    last: int
    begin: int = 0
    shown: int = 0
    _seen: tuple[int, dict[str, Values]] = field(default=(-1, {}), init=False)

    def moments(self, moment: Moment) -> Iterator[Row]:
        """Rows of moments.csv."""
        for name, quantity, values in self.each(moment):
            mean, error, variance, variance_error = spread(values)
            row = {"step": moment.step, "process": name, "quantity": quantity, "mean": mean, "error": error}
            yield row | {"variance": variance, "variance_error": variance_error}

    def gaps(self, moment: Moment) -> Iterator[Row]:
        """Rows of gaps.csv: none where the reference moves no more."""
        real = self._values(moment).get(self.reference)
        if real is None:
            return
        for name, quantity, values in self.each(moment):
            if name == self.reference:
                continue
            (there, error_there, *_), (here, error_here, *_) = spread(real[quantity]), spread(values)
            gap, error = here - there, math.hypot(error_here, error_there)
            row = {"step": moment.step, "process": name, "quantity": quantity, "gap": gap, "error": error}
            yield row | {"z": gap / error if error else None, "relative": gap / abs(there) if there else None}

    def paths(self, moment: Moment) -> Iterator[Row]:
        """Rows of paths.csv: squares are left out, they can be taken."""
        for name, quantity, values in self.each(moment):
            if not quantity.endswith("^2"):
                for path, value in enumerate(values[: None if moment.step == self.last else self.shown].tolist()):
                    yield {"step": moment.step, "process": name, "path": path, "quantity": quantity, "value": value}

    def each(self, moment: Moment) -> Iterator[tuple[str, str, Tensor]]:
        for name, found in self._values(moment).items():
            for quantity, values in found.items():
                yield name, quantity, values

    def _values(self, moment: Moment) -> dict[str, Values]:
        """Measured once a moment, for all tables."""
        if self._seen[0] != moment.step or self._seen[1].keys() != moment.states.keys():
            found = {name: self.measured(process, state) for name, (process, state) in moment.states.items()}
            self._seen = moment.step, found
        return self._seen[1]

    def measured(self, process: Process, state: State) -> Values:
        values = dict(process.problem.scores(state.theta))
        for i in self.index.tolist():
            values[f"theta[{i}]"] = taken(state.theta[:, i])
            values[f"theta[{i}]^2"] = values[f"theta[{i}]"].square()
            if "v" in state.memory:
                values[f"v[{i}]"] = taken(state.memory["v"][:, i])
        return values


class Averages:
    """Rows of averages.csv: of each quantity the mean over time and paths, with the error of independent paths."""

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self.sums: dict[str, Values] = {}
        self.counts: dict[str, int] = {}

    def __call__(self, moment: Moment) -> Iterator[Row]:
        if moment.step < self.ensemble.begin:
            return
        for name in moment.states:
            self.counts[name] = self.counts.get(name, 0) + 1
        for name, quantity, values in self.ensemble.each(moment):
            known = self.sums.setdefault(name, {})
            known[quantity] = known[quantity] + values if quantity in known else values
        if moment.step == self.ensemble.last:
            for name in moment.states:
                for quantity, total in self.sums[name].items():
                    mean, error, *_ = spread(total / self.counts[name])
                    row = {"process": name, "quantity": quantity, "mean": mean, "error": error}
                    yield row | {"from": self.ensemble.begin, "to": moment.step}

    def pack(self) -> dict[str, Any]:
        return {"sums": self.sums, "counts": self.counts}

    def unpack(self, packed: dict[str, Any]) -> None:
        self.sums, self.counts = packed["sums"], packed["counts"]


def taken(values: Tensor) -> Tensor:
    """A copy: processes move their tensors in place."""
    return values.to("cpu", torch.float64, copy=True)


def spread(values: Tensor) -> tuple[float, float, float, float]:
    """mean, s/√n, s², √((m₄ − s⁴(n − 3)/(n − 1))/n) of (n,) values: mean and variance with their standard errors

    m₄ is the fourth central moment.
    """
    n = len(values)
    mean = values.mean()
    central = values - mean
    variance = central.square().sum() / (n - 1)
    fourth = central.pow(4).mean() - variance.square() * (n - 3) / (n - 1)
    return (
        mean.item(),
        (variance / n).sqrt().item(),
        variance.item(),
        (fourth.clamp_min(0) / n).sqrt().item(),
    )
