"""The oscillation of gradient descent, step by step, its cycles, and the map of two numbers beside each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from aeos.errors import BadInput
from aeos.results.read import Run
from aeos.theory.self_stabilization import Path, energy, largest, reach, trajectory

LOST = 2e-4  # of δ: below, what an oscillation starts from is drift and rounding
ALONE = 0.85  # of the step: so much of it is along u where the cubic model is about all of it
GENTLE = 1.0  # an energy with which |x| stays between 0.2 δ and 2.3 δ
OTHER = 0.3  # of |x|: and at most so much along the eigenvector of λ₂


def oscillation(run: Run) -> pd.DataFrame:
    """The finite rows of self_stabilization.csv, with level = S/threshold. Raises BadInput where steps are left out."""
    rows = run.table("self_stabilization")
    rows = rows[np.isfinite(rows["sharpness"]) & np.isfinite(rows["train_loss"])].reset_index(drop=True)
    if len(rows) < 2 or (np.diff(rows["step"]) != 1).any():
        raise BadInput(f"{run.name}: steps are left out; measure each with self_stabilization.every=1")
    return rows.assign(level=rows["sharpness"] / rows["threshold"])


def second_joins(rows: pd.DataFrame) -> np.ndarray:
    """Where |x₂| > 0.3|x|: the step is not one of u alone."""
    return np.asarray(rows["second_x"].abs() > OTHER * rows["x"].abs())


def gate(rows: pd.DataFrame) -> np.ndarray:
    """Where what the model says of the averaged gradient can be seen: the step is all but along u."""
    return np.asarray(rows["share"] > ALONE) & ~second_joins(rows)


def rises(level: np.ndarray) -> np.ndarray:
    """Where S comes to be 2/η or more: the places at which cycles begin."""
    above = level >= 1
    return np.flatnonzero(above & ~np.concatenate([[False], above[:-1]]))


@dataclass(frozen=True)
class Cycle:
    """The rows of one cycle, from where x is an oscillation to where S next rises through 2/η, and the map from there.

    `constant`: the map with α and β of the first row; `measured`: with those of each row. `limit`: the place from which
    on the model is not to be trusted, as |x| of either map is out of reach or a second eigenvector has joined;
    the number of rows where that is nowhere.
    """

    rows: pd.DataFrame
    constant: Path
    measured: Path
    limit: int

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Cycle:
        first, steps = rows.iloc[0], len(rows) - 1
        lr, y = 2 / rows["threshold"].to_numpy(), first["sharpness"] - first["threshold"]
        start = first["x"], y, lr[:-1]
        constant = trajectory(*start, first["alpha"], first["beta"], steps)
        measured = trajectory(*start, rows["alpha"].to_numpy()[:-1], rows["beta"].to_numpy()[:-1], steps)
        with np.errstate(invalid="ignore"):
            far = [~(np.abs(path.x) <= reach(lr, rows["beta"])) for path in (constant, measured)]
        past = np.flatnonzero(far[0] | far[1] | second_joins(rows))
        return cls(rows, constant, measured, int(past[0]) if len(past) else len(rows))

    @property
    def holds(self) -> bool:
        return self.limit == len(self.rows)

    def level(self, path: Path) -> np.ndarray:
        """S/threshold on the map."""
        return 1 + path.y / self.rows["threshold"].to_numpy()

    @property
    def energy(self) -> float:
        """At the start, with the constants there."""
        first = self.rows.iloc[0]
        y, lr = first["sharpness"] - first["threshold"], 2 / first["threshold"]
        return float(energy(first["x"], y, lr, first["alpha"], first["beta"]))

    @property
    def peaks(self) -> tuple[float, float]:
        """The largest |x|, over δ of the start: of the run, and of the orbit of that energy."""
        return float(self.rows["x"].abs().max() / self.rows["delta"].iloc[0]), float(largest(self.energy))


def cycles(run: Run) -> list[Cycle]:
    """Every cycle of the run that begins within the model's limits, the last as far as it goes.

    Raises BadInput for a run without: S never rises through 2/η, or always together with λ₂.
    """
    rows = oscillation(run)
    begins, found = rises(rows["level"].to_numpy()), []
    for begin, end in zip(begins, [*begins[1:], len(rows) - 1][: len(begins)], strict=True):
        part = rows[begin : end + 1]
        size = (part["x"].abs() / part["delta"]).to_numpy()
        lost = np.flatnonzero(~(size[: part["x"].abs().argmax()] >= LOST))
        found.append(Cycle.of(part[lost[-1] + 1 if len(lost) else 0 :]))
    found = [cycle for cycle in found if cycle.limit]
    if not found:
        raise BadInput(f"{run.name}: the sharpness does not rise, alone, above its threshold; take more steps")
    return found


def joined(found: Sequence[Cycle]) -> list[Cycle]:
    """From the first gentle one on, cycles as one: there the map need not begin anew to keep up with the run."""
    first = next((i for i, cycle in enumerate(found) if cycle.holds and cycle.energy <= GENTLE), len(found))
    rest = [cycle.rows for cycle in found[first:]]
    return [*found[:first], *([Cycle.of(pd.concat(rest).drop_duplicates("step"))] if rest else [])]
