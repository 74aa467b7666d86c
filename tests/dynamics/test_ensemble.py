"""Would catch: a mean, an error or a gap that is not the paths' own, a wrong window, a stop that shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from aeos.dynamics import Discrete, Memory, Simulation, Watch
from aeos.dynamics.ensemble import Averages, Ensemble, spread
from aeos.dynamics.sde import Injected, SdeAdam
from aeos.optimizers.rules import Adam
from aeos.problems.analytic import Quadratic
from aeos.problems.sampling import GradientNoise

PROBLEM = Quadratic([1.0, 2.0, 3.0], dtype=torch.float64)
PATHS, STEPS, EVERY = 6, 10, 2


class Stops(Memory):
    """Keeps one checkpoint, at the step it is asked for, and gives it back."""

    def __init__(self, at: int, given: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.at, self.given, self.kept = at, given, None
        self.asked = 0

    def restore(self) -> dict[str, Any] | None:
        return self.given

    def due(self) -> bool:
        self.asked += 1
        return self.asked == self.at + 1

    def save(self, content: dict[str, Any]) -> None:
        if self.kept is None:
            self.kept = torch.utils._pytree.tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, content)


def simulate(record: Memory, index: Sequence[int] = (0, 2)) -> Memory:
    optimizer = Discrete(PROBLEM, Adam(lr=0.1), noise=GradientNoise(0.3, 0, shared=False), name="adam")
    ensemble = Ensemble("adam", torch.tensor(index), STEPS, begin=4, shown=2)
    tables = {"moments": ensemble.moments, "gaps": ensemble.gaps, "paths": ensemble.paths}
    watches = [Watch(name, EVERY, observer) for name, observer in tables.items()]
    watches.append(Watch("averages", EVERY, Averages(ensemble)))
    start = PROBLEM.init(0).expand(PATHS, -1)
    Simulation([optimizer, SdeAdam(optimizer, Injected(PROBLEM, 0.3))], start, watches, record).run(STEPS)
    return record


def paths() -> dict[tuple[str, int], np.ndarray]:
    """θ (paths, d) of each process at every step, moved by hand."""
    optimizer = Discrete(PROBLEM, Adam(lr=0.1), noise=GradientNoise(0.3, 0, shared=False), name="adam")
    found = {}
    for process in (optimizer, SdeAdam(optimizer, Injected(PROBLEM, 0.3))):
        state = process.init(PROBLEM.init(0).expand(PATHS, -1))
        for step in range(STEPS + 1):
            found[process.name, step] = state.theta.numpy().copy()
            process.advance(state)
    return found


def test_every_table_is_of_the_paths() -> None:
    rows, theta = simulate(Memory()).rows, paths()
    half = np.array([1.0, 2.0, 3.0]) / 2
    for row in rows["moments"]:
        x = theta[row["process"], row["step"]]
        known = {"train_loss": x**2 @ half}
        known |= {f"theta[{i}]": x[:, i] for i in (0, 2)} | {f"theta[{i}]^2": x[:, i] ** 2 for i in (0, 2)}
        if row["quantity"] in known:
            values = known[row["quantity"]]
            assert row["mean"] == pytest.approx(values.mean(), rel=1e-12)
            assert row["variance"] == pytest.approx(values.var(ddof=1), rel=1e-9, abs=1e-30)
            assert row["error"] == pytest.approx(values.std(ddof=1) / math.sqrt(PATHS), rel=1e-9, abs=1e-16)
    assert {row["quantity"] for row in rows["moments"]} == {
        "train_loss", "theta[0]", "theta[0]^2", "v[0]", "theta[2]", "theta[2]^2", "v[2]",
    }  # fmt: skip
    assert sorted({row["step"] for row in rows["moments"]}) == [0, 2, 4, 6, 8, 10]
    assert {row["process"] for row in rows["gaps"]} == {"new"}
    for row in rows["gaps"]:
        if row["quantity"] == "theta[2]":
            here, there = (theta[name, row["step"]][:, 2] for name in ("new", "adam"))
            assert row["gap"] == pytest.approx(here.mean() - there.mean(), rel=1e-9, abs=1e-16)
            error = math.sqrt((here.var(ddof=1) + there.var(ddof=1)) / PATHS)
            assert row["error"] == pytest.approx(error, rel=1e-9, abs=1e-16)
            assert (row["z"] is None) == (row["step"] == 0)
    shown = [row["path"] for row in rows["paths"] if row["step"] == 8 and row["quantity"] == "theta[0]"]
    last = [row["path"] for row in rows["paths"] if row["step"] == 10 and row["quantity"] == "theta[0]"]
    assert (shown, last) == ([0, 1] * 2, [*range(PATHS)] * 2)


def test_averages_are_over_the_window_with_the_error_of_independent_paths() -> None:
    rows, theta = simulate(Memory()).rows, paths()
    assert len(rows["averages"]) == 2 * 7
    for row in rows["averages"]:
        if row["quantity"] in ("theta[0]", "theta[0]^2"):
            power = 2 if row["quantity"].endswith("^2") else 1
            each = np.mean([theta[row["process"], step][:, 0] ** power for step in (4, 6, 8, 10)], axis=0)
            assert row["mean"] == pytest.approx(each.mean(), rel=1e-12)
            assert row["error"] == pytest.approx(each.std(ddof=1) / math.sqrt(PATHS), rel=1e-9)
            assert (row["from"], row["to"]) == (4, 10)


@pytest.mark.parametrize("at", [3, 4, 6])
def test_a_stop_changes_no_row(at: int) -> None:
    stopped = Stops(at)
    whole = simulate(stopped).rows
    rest = simulate(Stops(-1, stopped.kept)).rows
    assert stopped.kept is not None
    assert stopped.kept["step"] == at
    for name, rows in rest.items():
        assert rows == [row for row in whole[name] if row.get("step", STEPS) > at], name


def test_the_error_of_a_variance() -> None:
    """Of normal values it is σ²√(2/(n − 1)): the formula's own mean over many draws is that, within 4 of its errors."""
    drawn = torch.randn(4000, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = torch.tensor([spread(values)[3] ** 2 for values in drawn])
    assert found.mean().item() == pytest.approx(2 / 49, abs=4 * found.std().item() / math.sqrt(4000) + 2 / 49**2 * 6)
    assert spread(torch.tensor([1.0, 2.0, 6.0]))[:3] == pytest.approx((3.0, math.sqrt(7 / 3), 7.0))
