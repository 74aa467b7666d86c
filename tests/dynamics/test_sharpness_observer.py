"""The sharpness along a run: what its columns mean, that measuring changes nothing, that a stop changes nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from test_simulate import Interrupted

from aeos.dynamics import Discrete, Memory, Sharpness, Simulation, Watch
from aeos.optimizers.rules import GD, Adam, HeavyBall, RMSprop
from aeos.optimizers.rules.base import Rule
from aeos.problems.analytic import Quadratic, Teacher
from aeos.problems.base import Problem
from aeos.problems.build import build_problem
from aeos.problems.sampling import Batches
from tests.conftest import composed


def rows(problem: Problem, rule: Rule, steps: int, every: int = 1, **settings: Any) -> list[dict[str, Any]]:
    memory, observer = Memory(), Sharpness(**settings)
    process = Discrete(problem, rule, graph=every)
    Simulation([process], problem.init(0), [Watch("s", every, observer)], memory).run(steps)
    return [dict(row) for row in memory.rows["s"]]


def test_on_a_quadratic_every_column_is_its_closed_form() -> None:
    problem = Quadratic([3.0, 1.0], dtype=torch.float64)
    for row in rows(problem, GD(lr=0.5), 5, critical=True):
        assert row["sharpness"] == pytest.approx(3.0, rel=1e-6)
        assert (row["preconditioned_sharpness"], row["threshold"]) == (row["sharpness"], 4.0)
        assert row["ratio"] == pytest.approx(0.75, rel=1e-6)
        theta = torch.tensor([(1 - 0.5 * h) ** row["step"] for h in (3.0, 1.0)])
        g = theta * torch.tensor([3.0, 1.0])
        curvature = float((g * g * torch.tensor([3.0, 1.0])).sum() / (g * g).sum())
        assert row["critical_sharpness"] == pytest.approx(curvature, rel=0.02)
        assert row["train_loss"] == pytest.approx(float((theta * g).sum() / 2), rel=1e-6)


@pytest.mark.parametrize("rule", [RMSprop(lr=0.003), Adam(lr=0.01), Adam(lr=0.01, weight_decay=0.5, decoupled=False)])
@pytest.mark.parametrize("midpoints", [False, True])
def test_the_preconditioned_sharpness_is_the_dense_one_at_the_step_that_leaves(rule: Rule, midpoints: bool) -> None:
    """P contains the gradient at θ_k already (convention b); the midpoint is (θ_{k−1} + 2θ_k + θ_{k+1})/4."""
    problem, path, preconditioners = Teacher(), [], []
    theta = problem.init(0)
    memory = rule.init(theta)
    for _ in range(32):
        path.append(theta.clone())
        rule.update_(theta, problem.value_and_gradient(theta)[1], memory)
        preconditioners.append(rule.preconditioner(memory))
    for row in rows(problem, rule, 30, every=10, midpoints=midpoints, tol=1e-8):
        k = row["step"]
        at = (path[k - 1] + 2 * path[k] + path[k + 1]) / 4 if midpoints and k else path[k]
        hessian = torch.func.hessian(problem.loss)(at)
        ridge = rule.ridge * torch.eye(problem.dim, dtype=torch.float64)
        root = preconditioners[k].rsqrt()
        dense = torch.linalg.eigvalsh(root[:, None] * (hessian + ridge) * root)[-1]
        assert row["preconditioned_sharpness"] == pytest.approx(float(dense), rel=1e-6)
        assert row["sharpness"] == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=1e-6)
        assert row["threshold"] == pytest.approx(
            (2 + 2 * 0.9) / (0.1 * 0.01) if isinstance(rule, Adam) else 2 / 0.003, rel=1e-12
        )


def test_the_displacement_alternates_at_the_edge_and_its_size_is_the_oscillation() -> None:
    """GD on ½hθ² with ηh slightly above 2: θ_k = (1 − ηh)^k θ₀, and θ_k − midpoint = θ_k·(ηh)²/(4(ηh − 1))."""
    problem = Quadratic([1.0], dtype=torch.float64)
    found = rows(problem, GD(lr=2.1), 6)[1:]  # at step 0 there is no step before
    for row in found:
        theta = (1 - 2.1) ** row["step"]
        assert abs(row["displacement"]) == pytest.approx(abs(theta) * 2.1**2 / (4 * 1.1), rel=1e-9)
    signs = [math.copysign(1, row["displacement"]) for row in found]
    assert signs in ([1, -1, 1, -1, 1, -1], [-1, 1, -1, 1, -1, 1])


def test_a_coordinate_without_gradient_takes_no_part() -> None:
    """eps = 0 makes P = ∞ there: u is 0, and so are its share in the operator and in the displacement."""
    problem = Quadratic([0.0, 2.0], dtype=torch.float64)
    for row in rows(problem, RMSprop(lr=0.01, eps=0.0), 3):
        assert math.isfinite(row["displacement"])
        theta = row["train_loss"] ** 0.5  # L = θ², g = 2θ
        if not row["step"]:  # P = |g|
            assert row["preconditioned_sharpness"] == pytest.approx(2 / (2 * theta), rel=1e-9)


@pytest.mark.parametrize("words", [("model=mlp", "model.width=8"), ("model=cnn", "model.channels=[4]")])
def test_measuring_changes_no_bit_of_the_training(words: tuple[str, ...]) -> None:
    """True where torch's gradient is the same with a graph as without; group norms differ in the last digits."""
    problem = build_problem(composed("data=digits", "data.n=40", "data.test=5", "problem.criterion=mse", *words))

    def final(watches: list[Watch], graph: int | None) -> torch.Tensor:
        process = Discrete(problem, HeavyBall(lr=0.1), graph=graph)
        return Simulation([process], problem.init(0), watches, Memory()).run(20)["discrete"].theta

    assert torch.equal(final([Watch("s", 3, Sharpness(critical=True))], 3), final([], None))


@pytest.mark.parametrize("stop", [1, 9, 12, 17])
@pytest.mark.parametrize("batch", [None, 16])
def test_a_stop_changes_no_row(stop: int, batch: int | None) -> None:
    problem = Teacher()

    def simulation(recorder: Memory) -> Simulation:
        batches = Batches(problem.size, batch, 0) if batch else None
        process = Discrete(problem, Adam(lr=0.01), batches, graph=3)
        fresh = Batches(problem.size, 8, 1) if batch else None
        observer = Sharpness(top=2, catch=0.002, midpoints=True, critical=True, batches=fresh, count=2)
        watches = [Watch("s", 3, observer), Watch("e", 3, observer.eigenvalues)]
        return Simulation([process], problem.init(0), watches, recorder)

    whole, first = Interrupted(), Interrupted(stop_after=stop)
    simulation(whole).run(20)
    with pytest.raises(KeyboardInterrupt):
        simulation(first).run(20)
    rest = Interrupted(first.saved)
    simulation(rest).run(20)
    for table in ("s", "e"):
        assert [*first.rows[table], *rest.rows.get(table, [])] == whole.rows[table]
    assert len(whole.rows["e"]) > 2 * 2 * len(whole.rows["s"])  # `catch` found more than `top`


def test_batch_sharpness_of_the_whole_set_is_the_gradient_direction_curvature() -> None:
    problem = Teacher()
    (row,) = rows(problem, GD(lr=0.1), 0, batches=Batches(problem.size, problem.size, 5), count=3)
    theta = problem.init(0)
    g = problem.value_and_gradient(theta)[1]
    expected = float(g @ torch.func.hessian(problem.loss)(theta) @ g / (g @ g))
    assert row["batch_sharpness"] == pytest.approx(expected, rel=1e-10)
    assert row["batch_sharpness_error"] == pytest.approx(0, abs=1e-12)


def test_divergence_leaves_a_row_with_gaps() -> None:
    found = rows(Quadratic([1.0, 4.0]), GD(lr=1e30), 10)
    assert found[0]["ratio"] > 1
    assert "ratio" not in found[-1] or not math.isfinite(found[-1]["ratio"])
    assert len(found) < 10
