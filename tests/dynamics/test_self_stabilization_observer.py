"""Would catch: a term of the cubic model of another place or vector, or with a wrong sign; a stop that changes rows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_simulate import Interrupted
from torch import Tensor

from aeos.dynamics import Discrete, Memory, SelfStabilization, Simulation, Watch
from aeos.optimizers.rules import GD
from aeos.problems.analytic import Quadratic, Teacher
from aeos.problems.base import Batch, Problem

LR = 0.4
FAST, STEPS = 0.75, 16  # of the teacher problem, which crosses 2/η at step 8 then


class Cubic(Problem):
    """L = ½(s + kb)a² + ma³/6 − fb + ½qb², θ = (a, b), with the s for which the midpoint of the step from `start` has
    a = 0: there the top eigenvector is that of a, S = s + kb and ∇S = (m, k).
    """

    dim, device, dtype = 2, torch.device("cpu"), torch.float64
    k, m, f, q = 3.0, -2.0, 0.5, 0.7
    start = (0.05, 0.3)

    def __init__(self) -> None:
        a, b = self.start
        self.s = 2 / LR - self.k * b - self.m * a / 2

    def init(self, seed: int) -> Tensor:
        return torch.tensor(self.start, dtype=self.dtype)

    def loss(self, theta: Tensor, batch: Batch | None = None) -> Tensor:
        a, b = theta
        return (self.s + self.k * b) * a**2 / 2 + self.m * a**3 / 6 - self.f * b + self.q * b**2 / 2


def simulation(problem: Problem, recorder: Memory, tol: float = 1e-6, **change: Any) -> Simulation:
    schedule: Callable[[int], float] | None = change.pop("schedule", None)
    process = Discrete(problem, GD(**{"lr": LR} | change), schedule=schedule, name="gd")
    return Simulation([process], problem.init(2), [Watch("s", 1, SelfStabilization(tol))], recorder)


def rows(problem: Problem, steps: int, **change: Any) -> list[dict[str, Any]]:
    memory = Memory()
    simulation(problem, memory, **change).run(steps)
    return [dict(row) for row in memory.rows["s"]]


def test_every_column_in_closed_form() -> None:
    problem = Cubic()
    (a, b), k, m, q = problem.start, problem.k, problem.m, problem.q
    after = b - LR * (k * a**2 / 2 - problem.f + q * b)
    middle, half = (b + after) / 2, (b - after) / 2
    excess = k * a * half + m * a**2 / 2, k * a**2 / 2  # D: of a and of b
    slope = q * middle - problem.f
    beta, length = k**2, math.hypot(a, half)
    expected = {
        "train_loss": float(problem.loss(problem.init(0))),
        "midpoint_loss": -problem.f * middle + q * middle**2 / 2,
        "sharpness": problem.s + k * middle,
        "second_sharpness": q,
        "threshold": 2 / LR,
        "share": a / length,
        "alpha": -slope * k,
        "beta": beta,
        "delta": math.sqrt(-2 * slope * k / beta),
        "cosine": (excess[0] * m + excess[1] * k) / (math.hypot(*excess) * math.hypot(m, k)),
        "ratio": (excess[0] * m + excess[1] * k) / (a**2 * (m**2 + k**2) / 2),
    }
    row = rows(problem, 0)[0]
    assert {key: row[key] for key in expected} == pytest.approx(expected, rel=1e-11)
    assert [abs(row["x"]), abs(row["second_x"])] == pytest.approx([a, abs(half)], rel=1e-11)
    assert row["projection"] == pytest.approx(row["x"], rel=1e-12)  # S is above 2/η: this u and this midpoint


def test_the_step_to_the_fixed_point_of_the_model_is_the_model() -> None:
    """On the cubic alone, D = ½x²∇S to the last digit where the step is along u."""
    problem = Cubic()
    a, b = problem.start
    problem.f = problem.q * b + problem.k * a**2 / 2  # b does not move
    row = rows(problem, 0)[0]
    assert [row["share"], row["cosine"], row["ratio"]] == pytest.approx([1, 1, 1], rel=1e-12)
    assert abs(row["x"]) == pytest.approx(a)


def twin(theta: Tensor, decay: float, known: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """The row at θ from a dense Hessian and from second differences of the gradient, with the penalty in the loss."""
    problem = Teacher()

    def loss(w: Tensor) -> Tensor:
        return problem.loss(w) + decay / 2 * w.square().sum()

    def gradient(w: Tensor) -> Tensor:
        return problem.value_and_gradient(w)[1] + decay * w

    ahead = theta - FAST * gradient(theta)
    w, d = (theta + ahead) / 2, (theta - ahead) / 2
    values, vectors = torch.linalg.eigh(torch.autograd.functional.hessian(loss, w, vectorize=True))
    u, h = vectors[:, -1], 1e-2
    weights = {-2: -1, -1: 16, 0: -30, 1: 16, 2: -1}
    slope = sum(c * gradient(w + i * h * u) for i, c in weights.items()) / (12 * h**2)
    across, x = slope - (slope @ u) * u, u @ d
    excess = (gradient(theta) + gradient(ahead)) / 2 - gradient(w)
    found = {"sharpness": values[-1], "second_sharpness": values[-2], "x": x, "second_x": vectors[:, -2] @ d}
    found |= {"alpha": -gradient(w) @ across, "beta": across @ across, "share": x.abs() / d.norm()}
    found |= {
        "cosine": excess @ slope / excess.norm() / slope.norm(),
        "ratio": 2 * (excess @ slope) / (x * slope.norm()) ** 2,
    }
    if not known and values[-1] >= 2 / FAST:
        known.append((u, w))
    if known:
        found["projection"] = known[0][0] @ (theta - known[0][1])
    signless = ("x", "second_x", "projection")
    return {key: abs(float(value)) if key in signless else float(value) for key, value in found.items()}


@pytest.mark.parametrize(("decay", "decoupled"), [(0.0, True), (0.01, True), (0.01, False)])
def test_on_a_network_it_is_its_dense_twin_through_the_crossing(decay: float, decoupled: bool) -> None:
    problem, known = Teacher(), list[tuple[Tensor, Tensor]]()
    found = rows(problem, STEPS, tol=1e-11, lr=FAST, weight_decay=decay, decoupled=decoupled)
    theta, crossed = problem.init(2), []
    for row in found:
        expected = twin(theta, decay, known)
        assert ("projection" in row) == bool(known)
        mine = {key: abs(row[key]) if key in ("x", "second_x", "projection") else row[key] for key in expected}
        assert mine == pytest.approx(expected, rel=1e-5, abs=1e-9)
        crossed.append(bool(known))
        theta = theta - FAST * (problem.value_and_gradient(theta)[1] + decay * theta)
    assert 0 < sum(crossed) < len(crossed)


@pytest.mark.parametrize("stop", [0, 5, 12])
def test_a_stop_changes_no_digit(stop: int) -> None:
    whole, first = Interrupted(), Interrupted(stop_after=stop)
    simulation(Teacher(), whole, lr=FAST).run(STEPS)
    with pytest.raises(KeyboardInterrupt):
        simulation(Teacher(), first, lr=FAST).run(STEPS)
    rest = Interrupted(first.saved)
    simulation(Teacher(), rest, lr=FAST).run(STEPS)
    assert repr([*first.rows["s"], *rest.rows["s"]]) == repr(whole.rows["s"])  # nan is not nan
    assert "projection" in whole.rows["s"][-1]


def test_the_optimizer_moves_as_if_nobody_looked() -> None:
    alone = Simulation([Discrete(Teacher(), GD(lr=FAST), name="gd")], Teacher().init(2), [], Memory()).run(20)
    watched = simulation(Teacher(), Memory(), lr=FAST).run(20)
    assert torch.equal(alone["gd"].theta, watched["gd"].theta)


def test_what_a_quadratic_lacks_is_no_number() -> None:
    (row,) = rows(Quadratic([2.0], dtype=torch.float64), 0)
    assert "second_x" not in row
    assert (row["alpha"], row["beta"], row["share"]) == (0, 0, 1)
    assert all(math.isnan(row[key]) for key in ("delta", "cosine", "ratio"))


def test_a_schedule_that_ends_at_zero_has_no_threshold_there() -> None:
    found = rows(Quadratic([2.0, 1.0], dtype=torch.float64), 2, schedule=lambda step: 1 - step / 2)
    assert [row["threshold"] for row in found] == [2 / LR, 4 / LR, math.inf]


def test_divergence_leaves_rows_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rows(Teacher(), 60, lr=1e4)
    assert math.isnan(found[-1]["train_loss"])
    assert len(found) < 61
