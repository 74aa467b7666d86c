"""Adam against its own bound: catches a bound that some gradients exceed or that none attains."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aeos.optimizers.rules import Adam
from aeos.theory.stability import (
    attaining_gradients,
    largest_bound,
    log_max_update_bound,
    max_update_bound,
    parameter_bound,
)

DEFAULT = (0.999, 0.9)
PLANE = [DEFAULT, (0.9, 0.9), (0.9, 0.99), (0.3, 0.6), (0.25, 0.5), (0.96188, 0.98066), (0.01, 0.999)]


@pytest.mark.parametrize(("beta", "gamma"), PLANE)
def test_adam_attains_the_discrete_bound_at_every_step(beta: float, gamma: float) -> None:
    """The rule itself, in units that change at every step so that the newest gradient is 1 and the one before γ/β."""
    rule = Adam(beta1=gamma, beta2=beta, eps=0.0)
    one = torch.ones(1, dtype=torch.float64)
    state = rule.init(one)
    unit = float(np.exp(-attaining_gradients(1, beta, gamma)))
    steps = 100 if beta < 0.1 else 3000  # v would overflow: u grows by a factor of ten a step
    u = []
    for _ in range(steps):
        state["m"] *= unit
        state["v"] *= unit**2
        u.append(float(rule.direction(one, state)))
    exact = log_max_update_bound(np.arange(steps), beta, gamma, "discrete")
    np.testing.assert_allclose(np.log(u), exact, rtol=0, atol=1e-9)
    assert u[0] == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize(("beta", "gamma"), PLANE[:6])
def test_adam_in_logarithms_attains_it_where_numbers_overflow(beta: float, gamma: float) -> None:
    n = np.arange(20_000)
    logs = attaining_gradients(n, beta, gamma)

    def average(rate: float, x: np.ndarray) -> np.ndarray:
        """log EMA of e^x over its total weight."""
        weighted = np.logaddexp.accumulate(np.log1p(-rate) + x - n * np.log(rate)) + n * np.log(rate)
        return weighted - np.log(-np.expm1((n + 1) * np.log(rate)))

    with np.errstate(under="ignore"):
        u = average(gamma, logs) - average(beta, 2 * logs) / 2
    np.testing.assert_allclose(u, log_max_update_bound(n, beta, gamma, "discrete"), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("beta", "gamma"), [*PLANE, (0.999, 0.0)])
@pytest.mark.parametrize("eps", [0.0, 1e-8])
def test_no_gradients_exceed_it(beta: float, gamma: float, eps: float) -> None:
    """Noise, heavy tails, spikes, decay and growth, and the worst case with its signs flipped now and then."""
    rng = np.random.default_rng(0)
    n, shape = np.arange(250), (250, 40)
    worst = np.exp(np.clip(attaining_gradients(n, beta, max(gamma, 0.01)), -300, 300))[:, None]
    kinds = [
        rng.standard_normal(shape),
        rng.standard_cauchy(shape),
        rng.standard_normal(shape) * (rng.random(shape) < 0.03),
        rng.standard_normal(shape) * np.exp(np.outer(n, np.linspace(-0.5, 0.5, 40))),
        worst * rng.choice([1, 1, 1, 1, -1], shape),
        worst * (1 + 0.1 * rng.standard_normal(shape)),
    ]
    gradients = torch.tensor(np.concatenate(kinds, axis=1))
    rule = Adam(beta1=gamma, beta2=beta, eps=eps)
    state = rule.init(gradients[0])
    u = np.array([rule.direction(g, state).abs().max().item() for g in gradients])
    ratio = u / max_update_bound(n, beta, gamma, "discrete")
    assert ratio.max() <= 1 + 1e-9
    assert ratio[0] == pytest.approx(1, abs=1e-6)


def adversary(steps: int, lr: float, decay: float) -> float:
    theta = 0.0
    for u in max_update_bound(np.arange(steps), *DEFAULT, "discrete"):
        theta = (1 - lr * decay) * theta + lr * u
    return theta


@pytest.mark.parametrize("decay", [0.0, 0.5, 3.0])
def test_no_run_leaves_the_parameter_bound(decay: float) -> None:
    rule = Adam(lr=0.05, beta1=DEFAULT[1], beta2=DEFAULT[0], eps=0.0, weight_decay=decay)
    generator = torch.Generator().manual_seed(0)
    theta = initial = torch.linspace(-30, 30, 50, dtype=torch.float64)
    state = rule.init(theta)
    for n in range(1, 300):
        noise = torch.randn(50, dtype=torch.float64, generator=generator)
        theta, state = rule.update(theta, noise + (2 if n > 100 else 0), state)
        bound = parameter_bound(n, initial.numpy(), 0.05, decay, largest_bound(*DEFAULT, "discrete"))
        assert (np.abs(theta.numpy()) <= bound).all()


def test_parameters_stay_where_decay_pulls_them() -> None:
    """The adversary of the attained bound comes to 7.243 of 7.246 in 5000 steps, of which the largest update is M."""
    largest = max_update_bound(4999, *DEFAULT, "discrete")
    reached, bound = adversary(5000, 0.01, 1.0), parameter_bound(5000, 0, 0.01, 1.0, largest)
    assert f"{reached:.3f} of {bound:.3f}" == "7.243 of 7.246"
    everywhere = parameter_bound([0, 10, 10**9], [-3, 2, 9], 1e-3, 0.1, 7.0)
    np.testing.assert_allclose(everywhere, [3, 2 * 0.9999**10 + 70 * (1 - 0.9999**10), 70], rtol=1e-12)
    assert parameter_bound(50, -1, 0.1, 0, 7.0) == pytest.approx(1 + 50 * 0.7)
    assert parameter_bound(50, 1, 0.1, 1e-14, 7.0) == pytest.approx(1 + 50 * 0.7, rel=1e-12)
