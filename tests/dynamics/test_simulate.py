"""The loop: its clock, its rows, what divergence does to it, and that a stop in the middle changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from aeos.dynamics import Discrete, Memory, Moment, Simulation, Watch, metrics
from aeos.optimizers.rules.adam import Adam
from aeos.optimizers.rules.descent import GD
from aeos.problems.analytic import Quadratic
from aeos.problems.build import build_problem
from aeos.problems.sampling import Batches
from tests.conftest import composed

START = torch.tensor([1.0, -2.0], dtype=torch.float64)


def quadratic() -> Quadratic:
    return Quadratic([1.0, 4.0], dtype=torch.float64)


class Interrupted(Memory):
    """Checkpoints at every step into memory and stops, as a kill would, when told to."""

    def __init__(self, saved: dict[str, Any] | None = None, stop_after: int | None = None) -> None:
        super().__init__()
        self.saved, self.stop_after = saved, stop_after

    def restore(self) -> dict[str, Any] | None:
        return self.saved

    def due(self) -> bool:
        return True

    def save(self, content: dict[str, Any]) -> None:
        self.saved = torch.utils._pytree.tree_map_only(torch.Tensor, torch.clone, content)
        if self.stop_after is not None and content["step"] >= self.stop_after:
            raise KeyboardInterrupt


def theta(moment: Moment) -> Iterator[dict[str, Any]]:
    for name, (_, state) in moment.states.items():
        yield {"step": state.step, "process": name, "theta": state.theta.tolist()}


def test_gradient_descent_on_a_quadratic_is_its_closed_form() -> None:
    """θ_k = (1 − ηh)^k θ₀"""
    memory = Memory()
    process = Discrete(quadratic(), GD(lr=0.3))
    Simulation([process], START, [Watch("theta", 5, theta)], memory).run(12)
    rows = memory.rows["theta"]
    assert [row["step"] for row in rows] == [0, 5, 10, 12]
    for row in rows:
        expected = (1 - 0.3 * torch.tensor([1.0, 4.0], dtype=torch.float64)) ** row["step"] * START
        torch.testing.assert_close(torch.tensor(row["theta"], dtype=torch.float64), expected, rtol=1e-13, atol=0)


def test_the_columns_of_metrics_mean_what_they_say() -> None:
    memory = Memory()
    schedule = lambda step: 1 / (1 + step)  # noqa: E731
    Simulation([Discrete(quadratic(), GD(lr=0.1), schedule=schedule)], START, [Watch("m", 1, metrics)], memory).run(2)
    first, second, _ = memory.rows["m"]
    gradient = torch.tensor([1.0, -8.0], dtype=torch.float64)
    assert first["train_loss"] == 0.5 * (1 + 4 * 4)
    assert first["grad_norm"] == pytest.approx(gradient.norm().item(), rel=1e-15)
    assert (first["lr"], second["lr"]) == (0.1, 0.05)
    assert "max_update" not in first
    assert second["max_update"] == 8.0  # ‖g(θ₀)‖∞, of the step from 0 to 1
    assert second["param_norm"] == pytest.approx((START - 0.1 * gradient).norm().item(), rel=1e-15)


def test_processes_share_a_clock_and_one_that_diverges_stops_alone() -> None:
    memory = Memory()
    slow, fast = Discrete(quadratic(), GD(lr=0.1), name="slow"), Discrete(quadratic(), GD(lr=1e30), name="fast")
    simulation = Simulation([slow, fast], START, [Watch("theta", 50, theta)], memory)
    states = simulation.run(100)
    k = simulation.diverged["fast"]
    assert simulation.diverged.keys() == {"fast"}
    steps = {name: [row["step"] for row in memory.rows["theta"] if row["process"] == name] for name in ("slow", "fast")}
    assert steps == {"slow": [0, 50, 100], "fast": [0, k]}
    assert states["fast"].step == k
    # θ_k is the first at which the loss overflows
    value = lambda n: 0.5 * 4 * (2.0 * (4e30) ** n) ** 2 if n < 6 else float("inf")  # noqa: E731
    assert value(k - 1) < float("inf") == value(k)


@pytest.mark.parametrize("stop", [0, 1, 7, 19, 20])
@pytest.mark.parametrize("minibatch", [False, True])
def test_a_stop_anywhere_changes_no_bit(stop: int, minibatch: bool) -> None:
    problem = build_problem(composed("data=digits", "data.n=12", "data.test=5", "model.width=4"))
    batches = Batches(problem.size, 4, seed=3) if minibatch else None

    def simulation(recorder: Memory) -> Simulation:
        process = Discrete(problem, Adam(lr=0.01), batches)
        watches = [Watch("theta", 3, theta), Watch("metrics", 2, metrics)]
        return Simulation([process], problem.init(0), watches, recorder)

    whole = Interrupted()
    simulation(whole).run(20)
    first = Interrupted(stop_after=stop)
    with pytest.raises(KeyboardInterrupt):
        simulation(first).run(20)
    rest = Interrupted(first.saved)
    simulation(rest).run(20)
    for table in ("theta", "metrics"):
        joined = [*first.rows.get(table, []), *rest.rows.get(table, [])]
        strip = lambda rows: [{k: v for k, v in row.items() if k != "wall_time"} for row in rows]  # noqa: E731
        assert strip(joined) == strip(whole.rows[table])


def test_no_steps_is_one_row() -> None:
    memory = Memory()
    Simulation([Discrete(quadratic(), GD())], START, [Watch("theta", 5, theta)], memory).run(0)
    assert [row["step"] for row in memory.rows["theta"]] == [0]


def test_the_start_is_not_touched_and_names_must_differ() -> None:
    start = START.clone()
    process = Discrete(quadratic(), GD(lr=0.1))
    Simulation([process], start, [], Memory()).run(3)
    assert torch.equal(start, START)
    with pytest.raises(ValueError, match="share a name"):
        Simulation([process, process], start, [], Memory())
