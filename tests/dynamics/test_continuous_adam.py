"""Would catch: a rate, sign, start or bias correction that is not the equations', a wrong order of the integrator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from adam_flow_cases import FORMS, adam, equations, flow, smooth, travelled
from scipy.integrate import solve_ivp

from aeos.dynamics import ContinuousAdam, Discrete
from aeos.errors import BadInput
from aeos.optimizers.rules.adam import Adam, AMSGrad
from aeos.optimizers.rules.descent import GD
from aeos.problems.base import Batch, Problem

C = torch.tensor([2.0, -0.5, 0.0], dtype=torch.float64)


class Linear(Problem):
    """c·θ, whose gradient is c everywhere"""

    dim, device, dtype = 3, torch.device("cpu"), torch.float64

    def init(self, seed: int) -> torch.Tensor:
        return torch.tensor([1.0, 0.3, -0.7], dtype=torch.float64)

    def loss(self, theta: torch.Tensor, batch: Batch | None = None) -> torch.Tensor:
        return (C * theta).sum()


@pytest.mark.parametrize("form", FORMS)
def test_a_constant_gradient_is_averaged_as_heun_does_it(form: str) -> None:
    """m = c(1 − γρᵏ), ρ = 1 − z + z²/2, z = a/K after k substeps: exactly what Heun makes of m′ = a(c − m)"""
    process = flow(Linear(), form, adam(beta2=0.95))
    state = process.init(Linear().init(0))
    for _ in range(7):
        state = process.advance(state)
    for key, rate, gradient in (("m", 0.9, C), ("v", 0.95, C.square())):
        z = (-math.log(rate) if form == "corrected" else (1 - rate) / rate) / 4
        expected = gradient * (1 - rate * (1 - z + z * z / 2) ** 28)
        torch.testing.assert_close(state.memory[key], expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("decay", [0.0, 50.0])
def test_a_constant_gradient_moves_parameters_as_the_linear_equation_says(form: str, decay: float) -> None:
    """u = sign c with matched bias: ½θ″ + θ′ = −η(λθ + sign c), solved by two exponentials, or by one without θ″"""
    eta, n = 1e-3, 30
    rule = adam(eta, weight_decay=decay)
    theta = torch.from_numpy(travelled(flow(Linear(), form, rule, substeps=64, matched=True), Linear(), n))
    start, sign = Linear().init(0), C.sign()
    rest = -sign / decay if decay else 0 * sign
    if decay and form != "order1":
        root = math.sqrt(1 - 2 * eta * decay)
        slow, fast = -1 + root, -1 - root
        velocity = -eta * (decay * start + sign)
        share = (velocity - fast * (start - rest)) / (slow - fast)
        expected = rest + share * math.exp(slow * n) + (start - rest - share) * math.exp(fast * n)
    else:
        expected = rest + (start - rest) * math.exp(-eta * decay * n) - (0 if decay else eta * n * sign)
    torch.testing.assert_close(theta, expected, rtol=2e-6, atol=0)  # Heun's error at 64 substeps
    assert (theta[2] == start[2]) == (decay == 0)  # without gradient and decay it stays where it is, to the bit


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_the_first_direction_is_adams(form: str, eps: float) -> None:
    """u(0) = g/(|g| + eps): the sign of g for eps = 0, and 0 where g is"""
    process = flow(Linear(), form, adam(eps=eps))
    state = process.advance(process.init(Linear().init(0)))
    assert state.update is not None
    torch.testing.assert_close(state.update, (C / (C.abs() + eps)).nan_to_num(0.0), rtol=1e-14, atol=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("matched", [False, True])
def test_heun_converges_with_order_two_to_the_equations(form: str, matched: bool) -> None:
    """Against SciPy's DOP853 on equations written down a second time."""
    rule = adam(0.02, beta2=0.9, beta1=0.7)
    y, slope = equations(smooth(), form, rule, matched=matched)
    span = (0.0, 8 * 0.02)
    exact = solve_ivp(slope, span, y, method="DOP853", rtol=1e-12, atol=1e-13).y[:4, -1]
    errors = []
    for substeps in (8, 16, 32):
        found = travelled(flow(smooth(), form, rule, substeps=substeps, matched=matched), smooth(), 8)
        errors.append(np.linalg.norm(found - exact))
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(np.abs(orders - 2) < 0.25), orders
    assert errors[-1] < 1e-5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("p", [0.5, 1.0, 2.0])
def test_the_unit_of_time_changes_nothing(form: str, p: float) -> None:
    """The same Heun steps of the equations in the time t = n·ηᵖ."""
    rule = adam(1e-3)
    y, slope = equations(smooth(), form, rule, p)
    h = rule.lr**p / 4
    for k in range(20 * 4):
        first = slope(k * h, y)
        y = y + h / 2 * (first + slope((k + 1) * h, y + h * first))
    np.testing.assert_allclose(travelled(flow(smooth(), form, rule), smooth(), 20), y[:4], rtol=0, atol=1e-10)


SETTINGS: dict[str, tuple[Any, str]] = {
    "optimizer=gd": (GD(), "set optimizer=adam"),
    "optimizer=amsgrad": (AMSGrad(), "set optimizer=adam"),
    "optimizer.beta1=0": (Adam(beta1=0.0), "set it > 0"),
    "optimizer.beta2=0": (Adam(beta2=0.0), "set it > 0"),
    "optimizer.bias_correction=false": (Adam(bias_correction=False), "set it to true"),
    "optimizer.freeze=3": (Adam(freeze=3), "set it to null"),
    "optimizer.decoupled=false": (Adam(decoupled=False, weight_decay=0.1), "set it to true"),
}


@pytest.mark.parametrize("key", SETTINGS)
def test_what_has_no_model_says_what_to_choose(key: str) -> None:
    rule, remedy = SETTINGS[key]
    with pytest.raises(BadInput, match=f"^{key}: .*{remedy}") as error:
        ContinuousAdam(Discrete(smooth(), rule))
    assert "\n" not in str(error.value)
    ContinuousAdam(Discrete(smooth(), Adam(decoupled=False)))  # without decay the two kinds are one
    with pytest.raises(BadInput, match="form=order3: must be one of order1, order2, corrected"):
        flow(smooth(), "order3", Adam())


@pytest.mark.parametrize(
    ("form", "gamma", "beta", "least"),
    [("order1", 0.9, 0.999, 1), ("order2", 0.9, 0.999, 2), ("order1", 0.1, 0.999, 5), ("order2", 0.9, 0.1, 9),
     ("corrected", 0.1, 0.999, 2), ("order1", 1 / 3, 0.999, 2)],
)  # fmt: skip
def test_substeps_are_as_many_as_stability_needs(form: str, gamma: float, beta: float, least: int) -> None:
    rule = adam(1e-3, beta1=gamma, beta2=beta)
    assert np.isfinite(travelled(flow(smooth(), form, rule, substeps=least), smooth(), 200)).all()
    if least > 1:
        with pytest.raises(BadInput, match=f"substeps={least - 1}: .* set substeps={least}$"):
            flow(smooth(), form, rule, substeps=least - 1)
