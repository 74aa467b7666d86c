"""Would catch: a flow on another clock, of the wrong order, unstable where it is stiff, or that forgets its step."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from aeos.dynamics import Discrete, GradientFlow, State
from aeos.errors import BadInput
from aeos.optimizers import schedules
from aeos.optimizers.rules import GD, Adam
from aeos.problems.analytic import Quadratic, Teacher
from aeos.problems.base import Problem
from aeos.problems.sampling import Batches


def flow(problem: Problem, lr: float, steps: int, **how: object) -> State:
    rule = GD(lr=lr, weight_decay=float(how.pop("decay", 0.0)))  # type: ignore[arg-type]
    process = GradientFlow(Discrete(problem, rule, schedule=how.pop("schedule", None)), **how)  # type: ignore[arg-type]
    state = process.init(problem.init(0))
    for _ in range(steps):
        state = process.advance(state)
    return state


def test_on_a_quadratic_it_is_the_exponential() -> None:
    """e^(−(h + λ)ηk), a schedule's η included, however stiff: ηh = 8 would throw gradient descent off."""
    problem = Quadratic([0.5, 2.0, 80.0], start=(1.0,), dtype=torch.float64)
    found = flow(problem, 0.1, 10, decay=0.3, reach=0.2).theta
    h = np.array([0.5, 2.0, 80.0]) + 0.3
    assert found.numpy() == pytest.approx(np.exp(-h * 1.0), rel=1e-5, abs=1e-9)
    found = flow(problem, 0.1, 10, schedule=schedules.Power(1.0), reach=0.2).theta
    time = 0.1 * sum(1 / (1 + k) for k in range(10))
    assert found[:2].numpy() == pytest.approx(np.exp(-np.array([0.5, 2.0]) * time), rel=1e-6)


def test_it_is_what_scipy_integrates() -> None:
    problem = Teacher()
    start = problem.init(0)

    def slope(_: float, theta: np.ndarray) -> np.ndarray:
        return -problem.value_and_gradient(torch.from_numpy(theta))[1].numpy()

    wanted = solve_ivp(slope, (0, 20 * 0.3), start.numpy(), method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    found = flow(problem, 0.3, 20, reach=0.3).theta.numpy()
    assert np.abs(found - wanted).max() < 2e-5 * np.abs(wanted - start.numpy()).max()  # set after: 1.1e-5


def test_it_is_of_fourth_order_in_the_parts_of_a_step() -> None:
    problem = Quadratic([1.0], dtype=torch.float64)
    errors = [abs(flow(problem, 1.0, 3, reach=1 / parts).theta.item() - math.exp(-3)) for parts in (8, 16, 32)]
    assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx(4, abs=0.1)


def test_gradient_descent_tends_to_it() -> None:
    problem, far = Teacher(), []
    for parts in (1, 2, 4):
        optimizer = Discrete(problem, GD(lr=0.1 / parts))
        state = optimizer.init(problem.init(0))
        for _ in range(20 * parts):
            state = optimizer.advance(state)
        far.append((state.theta - flow(problem, 0.1, 20, reach=0.2).theta).norm().item())
    assert far[0] / far[1] == pytest.approx(2, rel=0.05)
    assert far[1] / far[2] == pytest.approx(2, rel=0.05)


def test_parts_go_with_the_sharpness() -> None:
    """The measured S is within its tolerance of the largest eigenvalue, and a state is all there is to go on from."""
    problem = Teacher()
    state = flow(problem, 0.3, 6)
    before = flow(problem, 0.3, 5)
    exact = torch.linalg.eigvalsh(torch.func.hessian(problem.loss)(before.theta)).max().item()
    assert float(state.memory["sharpness"]) == pytest.approx(exact, rel=0.05)
    process = GradientFlow(Discrete(problem, GD(lr=0.3)))
    again = process.init(problem.init(1)).unpack(before.pack())
    assert torch.equal(process.advance(again).theta, state.theta)


def test_where_the_loss_has_no_curvature_it_takes_one_part() -> None:
    problem = Quadratic([-1.0, -2.0], start=(1.0,), dtype=torch.float64)
    state = flow(problem, 0.1, 5)
    assert float(state.memory["sharpness"]) < 0
    assert state.theta.numpy() == pytest.approx(np.exp([0.5, 1.0]), rel=2e-5)  # (ηh)⁴ of one part
    assert math.isfinite(problem.loss(state.theta))


@pytest.mark.parametrize(
    ("process", "says"),
    [
        (Discrete(Teacher(), Adam()), "optimizer=adam"),
        (Discrete(Teacher(), GD(), Batches(64, 8, 0)), "batch_size=null"),
    ],
)
def test_what_has_no_gradient_flow_is_refused(process: Discrete, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        GradientFlow(process)
