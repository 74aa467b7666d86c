"""Catches a formula, its gradient or its start that is not the published one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aeos.errors import BadInput
from aeos.problems.analytic import Coordinates, Quadratic, Saddle, Teacher
from aeos.problems.base import Problem

D = torch.float64
TOYS = [Quadratic([3.0, -1.0, 0.0], dtype=D), Saddle([-1.0, 2.0, 0.5], 0.7, -0.3, [1.0], dtype=D), Saddle(dtype=D)]


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=D)


def test_quadratic_is_its_formula() -> None:
    value, gradient = Quadratic([1.0, 2.0], dtype=D).value_and_gradient(torch.tensor([3.0, -1.0], dtype=D))
    assert value.item() == 0.5 * 9 + 1
    assert gradient.tolist() == [3.0, -2.0]


def test_saddle_has_the_published_minima() -> None:
    """H = diag(−1, 2), λ = 1, ξ = 0.1: minima (1.0512, 0) and (−0.9512, 0) with values −0.28596 and −0.21905."""
    saddle = Saddle(dtype=D)
    for place, depth in (((0.1 + 4.01**0.5) / 2, -0.28596), ((0.1 - 4.01**0.5) / 2, -0.21905)):
        value, gradient = saddle.value_and_gradient(torch.tensor([place, 0.0], dtype=D))
        assert value.item() == pytest.approx(depth, abs=5e-6)
        assert gradient.abs().max() < 1e-15
    theta = torch.zeros(2, dtype=D)
    assert saddle.value_and_gradient(theta)[1].tolist() == [0, 0]
    assert torch.func.hessian(saddle.loss)(theta).tolist() == [[-1, 0], [0, 2]]
    x, y = 0.3, -1.7
    formula = 0.5 * (-(x**2) + 2 * y**2) + (x**4 + y**4) / 4 - 0.1 * (x**3 + y**3) / 3
    assert saddle.loss(torch.tensor([x, y], dtype=D)).item() == pytest.approx(formula, rel=1e-14)


@pytest.mark.parametrize("problem", TOYS, ids=lambda p: f"{type(p).__name__}{p.dim}")
def test_hand_gradients_are_autograds_for_one_and_for_many(problem: Coordinates) -> None:
    thetas = draw(5, problem.dim)
    for theta in (thetas[0], thetas):
        value, gradient = problem.value_and_gradient(theta)
        true_value, true = Problem.value_and_gradient(problem, theta)
        assert value.shape == theta.shape[:-1]
        torch.testing.assert_close(value, true_value, rtol=1e-14, atol=0)
        torch.testing.assert_close(gradient, true, rtol=1e-13, atol=1e-15)
    assert torch.equal(torch.func.vmap(problem.loss)(thetas), problem.value(thetas))


@pytest.mark.parametrize("problem", TOYS, ids=lambda p: f"{type(p).__name__}{p.dim}")
def test_a_gradient_is_written_where_it_shall_go(problem: Coordinates) -> None:
    theta = draw(5, problem.dim)
    before, out = theta.clone(), torch.full_like(theta, torch.nan)
    assert problem.gradient(theta, out=out) is out
    assert torch.equal(out, problem.gradient(theta))
    assert torch.equal(theta, before)


def test_starts() -> None:
    assert Quadratic([1.0, 2.0], [0.5]).init(3).tolist() == [0.5, 0.5]
    assert Saddle(start=[0.25, 1.0]).init(3).tolist() == [0.25, 1.0]
    drawn = Quadratic([1.0] * 4000, None, dtype=D)
    before = torch.get_rng_state()
    one, again, other = drawn.init(3), drawn.init(3), drawn.init(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert abs(one.mean()) < 4 / 4000**0.5
    assert one.std().item() == pytest.approx(1, abs=0.05)
    start = Quadratic([1.0, 2.0], [0.5])
    start.init(0).add_(1)
    assert start.init(0).tolist() == [0.5, 0.5]
    with pytest.raises(BadInput, match=r"problem.start has 2 numbers: give one, or one for each of the 3"):
        Quadratic([1.0, 2.0, 3.0], [1.0, 2.0])


def test_analytic_problems_report_their_loss_and_nothing_else() -> None:
    problem = Saddle()
    assert problem.metrics(problem.init(0)) == {"train_loss": pytest.approx(problem.loss(problem.init(0)).item())}
    assert (problem.size, problem.provenance()) == (0, {})


def teacher_in_numpy() -> tuple[np.ndarray, float, np.ndarray]:
    """θ₀, L(θ₀) and ∇L(θ₀) of the published recipe, backward pass by hand."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 6))
    t = np.sin(x @ rng.normal(size=(6, 2))) + 0.3 * rng.normal(size=(64, 2))
    w = [rng.normal(size=s) / np.sqrt(s[0]) for s in ((6, 10), (10, 10), (10, 2))]
    b = [np.zeros(k) for k in (10, 10, 2)]
    h1 = np.tanh(x @ w[0] + b[0])
    h2 = np.tanh(h1 @ w[1] + b[1])
    error = (h2 @ w[2] + b[2] - t) / 64
    d2 = error @ w[2].T * (1 - h2**2)
    d1 = d2 @ w[1].T * (1 - h1**2)
    slopes = [x.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ error, error.sum(0)]
    theta = np.concatenate([w[0].ravel(), b[0], w[1].ravel(), b[1], w[2].ravel(), b[2]])
    return theta, 0.5 * 64 * (error**2).sum(), np.concatenate([s.ravel() for s in slopes])


def test_teacher_is_the_published_recipe() -> None:
    teacher = Teacher()
    theta, loss, slope = teacher_in_numpy()
    start = teacher.init(0)
    assert (teacher.dim, len(start), start.dtype, teacher.dtype) == (202, 202, D, D)
    assert start.tolist() == theta.tolist()
    value, gradient = teacher.value_and_gradient(start)
    assert value.item() == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(gradient.numpy(), slope, rtol=1e-11, atol=1e-15)
    many = torch.stack([start, teacher.init(1), teacher.init(2)])
    values, gradients = teacher.value_and_gradient(many)
    assert values[0].item() == pytest.approx(loss, rel=1e-13)
    assert len(set(values.tolist())) == 3
    torch.testing.assert_close(gradients[0], gradient, rtol=1e-11, atol=1e-14)


def test_teacher_minibatches_average_to_the_whole() -> None:
    teacher = Teacher()
    theta = teacher.init(0)
    quarters = torch.randperm(64).view(4, 16)
    parts = [teacher.loss(theta, teacher.batch(some)) for some in quarters]
    assert sum(parts).item() / 4 == pytest.approx(teacher.loss(theta).item(), rel=1e-13)
    own = teacher.value(theta.expand(4, -1), teacher.batch(quarters))
    torch.testing.assert_close(own, torch.stack(parts), rtol=1e-13, atol=0)


@pytest.mark.parametrize("toy", TOYS, ids=range(len(TOYS)))
def test_scores_of_an_ensemble_are_those_of_its_members(toy: Coordinates) -> None:
    theta = draw(5, toy.dim)
    scores = toy.scores(theta)["train_loss"]
    assert scores.dtype == D
    assert scores.tolist() == pytest.approx([toy.metrics(one)["train_loss"] for one in theta], rel=1e-12)
