"""Catches a model or criterion that is right in value and wrong, or missing, in one of its derivatives."""

from __future__ import annotations

import pytest
import torch
from problem_cases import CASES, SMOOTH, Case, directions, problem, relative
from torch.func import functional_call, grad, jvp
from torch.nn.utils import vector_to_parameters

from aeos.problems.base import Problem
from aeos.problems.models.build import seeded

each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_smooth_case = pytest.mark.parametrize("case", SMOOTH, ids=str)
STEP = 1e-4


@each_case
def test_loss_is_that_of_the_plain_module(case: Case) -> None:
    it = problem(case)
    plain = seeded(it.make, 0).double()
    vector_to_parameters(it.init(3), plain.parameters())
    outputs = functional_call(plain, dict(plain.named_parameters()), it.train.x)
    assert torch.equal(it.loss(it.init(3)), it.criterion(outputs, it.train.y))
    for name, (span, shape) in it.layout.items():
        assert torch.equal(it.init(3)[span].view(shape), plain.get_parameter(name))


@each_case
def test_gradient_is_the_slope_of_the_loss(case: Case) -> None:
    it = problem(case)
    theta = it.init(1)
    _, gradient = it.value_and_gradient(theta)
    for u in directions(it, 3):
        far, near = ((it.loss(theta + h * u) - it.loss(theta - h * u)) / (2 * h) for h in (2 * STEP, STEP))
        slope = (4 * near - far) / 3 if case.smooth else near
        assert (gradient @ u).item() == pytest.approx(slope.item(), rel=1e-7 if case.smooth else 1e-5, abs=1e-10)


@each_case
def test_fast_gradient_is_autograd_through_the_loss(case: Case) -> None:
    it = problem(case)
    theta, batch = it.init(2), it.batch(torch.tensor([3, 0, 2]))
    for some in (None, batch):
        value, gradient = it.value_and_gradient(theta, some)
        slow_value, slow_gradient = Problem.value_and_gradient(it, theta, some)
        assert value.item() == slow_value.item()
        assert not value.requires_grad
        assert not gradient.requires_grad
        assert relative(gradient, slow_gradient) < 1e-12


@each_case
def test_ensemble_members_are_single_runs(case: Case) -> None:
    it = problem(case)
    thetas = torch.stack([it.init(seed) for seed in range(3)])
    values, gradients = it.value_and_gradient(thetas)
    assert values.shape == (3,)
    assert gradients.shape == thetas.shape
    for theta, value, gradient in zip(thetas, values, gradients, strict=True):
        alone, slope = it.value_and_gradient(theta)
        assert value.item() == pytest.approx(alone.item(), rel=1e-12)
        assert relative(gradient, slope) < 1e-10


@each_case
def test_ensemble_members_on_batches_of_their_own_are_single_runs(case: Case) -> None:
    it = problem(case)
    thetas, indices = torch.stack([it.init(seed) for seed in range(3)]), torch.tensor([[3, 0], [1, 1], [2, 3]])
    for members in (3, 1):
        batch = it.batch(indices[:members])
        assert (batch.each, len(batch)) == (True, 2)
        values, gradients = it.value_and_gradient(thetas[:members], batch)
        torch.testing.assert_close(values, it.value(thetas[:members], batch), rtol=1e-12, atol=0)
        for theta, some, value, gradient in zip(thetas, indices, values, gradients, strict=False):
            alone, slope = it.value_and_gradient(theta, it.batch(some))
            assert value.item() == pytest.approx(alone.item(), rel=1e-12)
            assert relative(gradient, slope) < 1e-10


@each_smooth_case
def test_hessian_vector_products_are_the_slope_of_the_gradient(case: Case) -> None:
    it = problem(case)
    theta = it.init(1)
    (u,) = directions(it, 1)
    far, near = (
        (it.value_and_gradient(theta + h * u)[1] - it.value_and_gradient(theta - h * u)[1]) / (2 * h)
        for h in (2 * STEP, STEP)
    )
    forward_over_reverse = jvp(grad(it.loss), (theta,), (u,))[1]
    leaf = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(it.loss(leaf), leaf, create_graph=True)
    (double_reverse,) = torch.autograd.grad(gradient @ u, leaf)
    assert relative(forward_over_reverse, (4 * near - far) / 3) < 1e-7
    assert relative(double_reverse, forward_over_reverse) < 1e-10


@each_smooth_case
def test_third_derivatives_are_the_slope_of_hessian_vector_products(case: Case) -> None:
    it = problem(case)
    theta = it.init(1)
    u, v = directions(it, 2)
    slopes = [
        (jvp(grad(it.loss), (theta + h * v,), (u,))[1] - jvp(grad(it.loss), (theta - h * v,), (u,))[1]) / (2 * h)
        for h in (2 * STEP, STEP)
    ]
    true = (4 * slopes[1] - slopes[0]) / 3
    found = grad(lambda a: jvp(lambda b: jvp(it.loss, (b,), (u,))[1], (a,), (v,))[1])(theta)
    size = jvp(grad(it.loss), (theta,), (u,))[1].norm()  # a linear model with mse has none
    assert (found - true).norm() < 1e-6 * max(true.norm(), size)


@pytest.mark.parametrize("case", [case for case in SMOOTH if getattr(case.model, "qk_norm", False)], ids=str)
def test_each_heads_query_and_key_slice_is_scale_invariant(case: Case) -> None:
    it = problem(case)
    theta = it.init(4)
    _, gradient = it.value_and_gradient(theta)
    for name in ("blocks.0.attention.query.weight", "blocks.0.attention.key.weight"):
        span, (rows, columns) = it.layout[name]
        size = rows * columns // case.model.heads
        for start in range(span.start, span.stop, size):
            head = slice(start, start + size)
            grown = theta.clone()
            grown[head] *= 7.5
            assert it.loss(grown).item() == pytest.approx(it.loss(theta).item(), rel=1e-14)
            assert abs(theta[head] @ gradient[head]) < 1e-15 + 1e-13 * theta[head].norm() * gradient[head].norm()
