"""Would catch: a preconditioner on another clock or with another weight than its average; decay in a wrong place."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from aeos.dynamics import Discrete, Memory, Midpoint, Simulation, StableFlow, State
from aeos.dynamics.flows.preconditioner import preconditioner
from aeos.errors import BadInput
from aeos.optimizers import schedules
from aeos.optimizers.rules import EMA, GD, Adam, RMSprop, Rule, ScalarRMSprop
from aeos.problems.analytic import Quadratic, Teacher
from aeos.problems.sampling import GradientNoise

RULES = {
    "rmsprop": RMSprop(lr=1e-3, beta2=0.9, eps=1e-6),
    "l2": RMSprop(lr=1e-3, beta2=0.9, eps_root=1e-7, weight_decay=0.1, decoupled=False),
    "decoupled": RMSprop(lr=1e-3, beta2=0.8, weight_decay=5.0, bias_correction=False),
    "scalar": ScalarRMSprop(lr=0.01, beta2=0.9),
}


def moved(process: StableFlow | Midpoint | Discrete, state: State, steps: int) -> State:
    for _ in range(steps):
        state = process.advance(state)
    return state


@pytest.mark.parametrize("name", RULES)
def test_it_is_what_scipy_integrates(name: str) -> None:
    """(θ, ν, c) as written out, from one average of the first gradient, on the optimizer's clock."""
    problem, rule = Teacher(), RULES[name]
    start = problem.init(0)
    a, d, scalar = (1 - float(rule.beta2)) / float(rule.beta2), len(start), name == "scalar"
    eta, decay, ridge = float(rule.lr), 0.0, 0.0
    if rule.weight_decay:
        decay, ridge = (float(rule.weight_decay), 0.0) if rule.decoupled else (0.0, float(rule.weight_decay))

    def gradient(theta: np.ndarray) -> np.ndarray:
        return problem.value_and_gradient(torch.from_numpy(theta))[1].numpy() + ridge * theta

    def squares(g: np.ndarray) -> np.ndarray:
        return np.array([g @ g]) if scalar else g**2

    def slope(_: float, y: np.ndarray) -> np.ndarray:
        theta, nu, c = y[:d], y[d:-1], y[-1] if rule.bias_correction else 1.0
        g = gradient(theta)
        P = np.sqrt(nu / c + float(rule.eps_root)) + float(rule.eps)
        return np.concatenate([-eta * (g / P + decay * theta), a * (squares(g) - nu), [a * (1 - y[-1])]])

    first = 1 - float(rule.beta2)
    y = np.concatenate([start.numpy(), first * squares(gradient(start.numpy())), [first]])
    wanted = solve_ivp(slope, (0, 12), y, method="DOP853", rtol=1e-11, atol=1e-14).y[:, -1]
    flow = StableFlow(Discrete(problem, rule), parts=16)
    found = moved(flow, flow.init(start), 12)
    assert np.abs(found.theta.numpy() - wanted[:d]).max() < 1e-6 * np.abs(wanted[:d] - start.numpy()).max()
    assert found.memory["v"].numpy() == pytest.approx(wanted[d:-1], rel=1e-4, abs=1e-12)  # steep at first
    assert float(found.memory["weight"]) == pytest.approx(wanted[-1] if rule.bias_correction else 1.0, rel=1e-6)


def test_where_the_square_rests_the_corrected_average_is_the_square() -> None:
    """A constant gradient: ν/c = g² at any time, so that bias correction is exact in continuous time too."""
    rule = RMSprop(lr=0.1, beta2=0.99, eps=0.0)
    model = preconditioner(rule)
    memory = {
        "v": 0.01 * torch.tensor([9.0, 0.25], dtype=torch.float64),
        "weight": torch.tensor(0.01, dtype=torch.float64),
    }
    g = torch.tensor([3.0, -0.5], dtype=torch.float64)
    for _ in range(50):
        memory = {key: memory[key] + 0.3 * slope for key, slope in model.drift(memory, g).items()}
        assert (0.1 * model.p(memory, 0.1, g)).numpy() == pytest.approx([3.0, 0.5], rel=1e-12)


def test_how_the_preconditioner_turns_is_its_derivative() -> None:
    rule = RMSprop(lr=0.02, beta2=0.9, eps_root=1e-3)
    model = preconditioner(rule)
    memory = {"v": torch.tensor([0.3, 0.01, 0.0]).double(), "weight": torch.tensor(0.4, dtype=torch.float64)}
    slopes = {"v": torch.tensor([-0.2, 0.5, 0.1]).double(), "weight": torch.tensor(0.7, dtype=torch.float64)}
    like, h = memory["v"], 1e-6
    ahead, behind = ({key: memory[key] + s * h * slopes[key] for key in memory} for s in (1, -1))
    wanted = (model.p(ahead, 0.02, like) - model.p(behind, 0.02, like)) / (2 * h)
    assert model.turn(memory, 0.02, slopes["v"], 0.7).numpy() == pytest.approx(wanted.numpy(), rel=1e-7)
    bare = preconditioner(replace(rule, eps_root=0.0))
    assert bare.turn(memory, 0.02, torch.zeros(3).double(), 0.7)[2] == 0  # never a gradient: no 0/0


def test_midpoints_are_the_optimizers() -> None:
    problem = Teacher()
    for rule in (GD(lr=0.3), RULES["decoupled"], Adam(lr=1e-2)):
        optimizer = Discrete(problem, rule, schedule=schedules.Power(0.1))
        states = [optimizer.init(problem.init(0))]
        for _ in range(6):
            states.append(moved(optimizer, optimizer.begin(states[-1]), 1))
        path = [state.theta for state in states]
        process = Midpoint(optimizer)
        state = process.init(problem.init(0))
        assert torch.equal(state.theta, path[0])
        for k in range(1, 6):
            state = process.advance(state)
            wanted = (path[k - 1] + 2 * path[k] + path[k + 1]) / 4
            assert torch.allclose(state.theta, wanted, rtol=1e-14, atol=0)
            p = rule.preconditioner(states[k + 1].memory)
            assert torch.equal(process.divisor(state), torch.ones(1).double() if p is None else p)
        begun = process.begin(states[5])
        assert torch.allclose(begun.theta, state.theta, rtol=1e-13)
        after = moved(process, begun, 3)
        again = process.init(problem.init(1)).unpack(process.begin(states[5]).pack())
        assert torch.equal(moved(process, again, 3).theta, after.theta)


def test_processes_that_begin_where_an_optimizer_is_share_its_clock() -> None:
    problem = Teacher()
    optimizer = Discrete(problem, RULES["rmsprop"], schedule=schedules.Power(0.5))
    there = moved(optimizer, optimizer.init(problem.init(0)), 7)
    kept = there.theta.clone()
    simulation = Simulation([optimizer, StableFlow(optimizer), Midpoint(optimizer)], there, [], Memory())
    final = simulation.run(12)
    assert torch.equal(there.theta, kept)
    assert {state.step for state in final.values()} == {12}
    assert torch.equal(final["discrete"].theta, moved(optimizer, optimizer.init(problem.init(0)), 12).theta)
    flow = StableFlow(optimizer)
    begun = flow.begin(there)
    assert float(begun.memory["weight"]) == pytest.approx(1 - 0.9**8, rel=1e-12)
    assert torch.equal(moved(flow, begun, 5).theta, final["stable_flow"].theta)


@pytest.mark.parametrize(
    ("rule", "how", "says"),
    [
        (Adam(), {}, "optimizer=adam: no such flow is known"),
        (EMA(), {}, "optimizer=ema"),
        (RMSprop(freeze=3), {}, "optimizer.freeze=3"),
        (RMSprop(beta2=0.0), {}, "optimizer.beta2=0"),
        (RMSprop(), {"reach": 3.0}, "reach=3.0"),
        (RMSprop(), {"refresh": 0}, "refresh=0"),
    ],
)
def test_what_has_no_stable_flow_is_refused(rule: Rule, how: dict[str, float], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        StableFlow(Discrete(Teacher(), rule), **how)  # type: ignore[arg-type]


def test_noise_is_refused_and_what_overflows_has_diverged() -> None:
    with pytest.raises(BadInput, match="batch_size=null"):
        StableFlow(Discrete(Teacher(), RMSprop(), noise=GradientNoise(0.1, 0)))
    problem = Quadratic([-1.0], start=(1e300,), dtype=torch.float64)
    flow = StableFlow(Discrete(problem, GD(lr=700.0)))
    state = flow.init(problem.init(0))
    assert not flow.healthy(state) or not flow.healthy(flow.advance(state))
    assert math.isfinite(flow.lr(0))
