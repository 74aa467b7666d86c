"""The tracker: within its tolerance at every step of a training run, through crossings, and resumable."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from aeos.curvature import Hessian, SharpnessTracker
from aeos.problems.analytic import Teacher

STEPS = 400
LR = 0.35


@pytest.fixture(scope="module")
def path() -> list[tuple[Tensor, Tensor]]:
    """GD on the teacher problem to the edge and along it: θ and all eigenvalues of the dense Hessian, largest first."""
    problem, dense = Teacher(), []
    theta = problem.init(0)
    for _ in range(STEPS):
        hessian = torch.func.hessian(problem.loss)(theta)
        dense.append((theta.clone(), torch.linalg.eigvalsh(hessian).flip(0)))
        theta -= LR * problem.value_and_gradient(theta)[1]
    return dense


def test_every_step_of_training_within_the_tolerance_for_few_products(path: list[tuple[Tensor, Tensor]]) -> None:
    problem, tracker = Teacher(), SharpnessTracker(tol=1e-3)
    taken, errors = 0, []
    for theta, true in path:
        found = tracker.measure(Hessian.of(problem.loss, theta), theta)
        taken += found.matvecs
        errors.append(abs(float(found.values[0] / true[0]) - 1))
        assert found.residuals[0] > 0
    assert max(errors) < 1e-3
    assert taken / STEPS < 3.5
    assert float(path[-1][1][0]) > 0.95 * 2 / LR  # it was about the edge that this went


def test_every_fifth_step_and_several_eigenvalues(path: list[tuple[Tensor, Tensor]]) -> None:
    problem, tracker = Teacher(), SharpnessTracker(3, tol=1e-3)
    for theta, true in path[::5]:
        found = tracker.measure(Hessian.of(problem.loss, theta), theta)
        torch.testing.assert_close(found.values, true[:3], rtol=0, atol=1e-3 * float(true[0]))
        torch.testing.assert_close(found.vectors @ found.vectors.T, torch.eye(3, dtype=torch.float64))


def test_no_eigenvalue_above_the_catch_goes_unreported(path: list[tuple[Tensor, Tensor]]) -> None:
    problem, tracker = Teacher(), SharpnessTracker(tol=1e-3)
    catch, counts = 0.9 * 2 / LR, set()
    for theta, true in path:
        found = tracker.measure(Hessian.of(problem.loss, theta), theta, catch)
        above = int((true > catch * (1 + 2e-3)).sum())
        assert len(found.values) >= max(above, 1)
        torch.testing.assert_close(found.values, true[: len(found.values)], rtol=0, atol=1e-3 * float(true[0]))
        counts.add(len(found.values))
    assert len(counts) > 1


def rotated(eigenvalues: Tensor, seed: int) -> Tensor:
    drawn = torch.randn(len(eigenvalues), len(eigenvalues), generator=torch.Generator().manual_seed(seed))
    Q = torch.linalg.qr(drawn.double())[0]
    return Q @ torch.diag(eigenvalues) @ Q.T


@pytest.mark.parametrize("risen", [1, 2, 7], ids=["the guard", "the third", "one of the bulk"])
@pytest.mark.parametrize("seed", range(3))
def test_an_eigenvalue_that_rises_past_the_first_is_followed(risen: int, seed: int) -> None:
    """Nothing couples the eigenvectors: without guard, noise and cold starts the old one would be followed for ever."""
    base = torch.cat([torch.tensor([5.0, 4.0, 3.0]), torch.linspace(1, -2, 57)]).double()
    tracker, late = SharpnessTracker(restart=50, seed=seed), 0
    for t in range(150):
        eigenvalues = base.clone()
        eigenvalues[risen] += 0.05 * t
        A = rotated(eigenvalues, seed=9)
        found = tracker.measure(lambda v, A=A: A @ v, A[0])
        late += float(found.values[0]) < float(eigenvalues.max()) * (1 - 1e-3)
    assert late <= (0 if risen == 1 else 50)
    last = torch.linalg.eigh(A)[1][:, -1]
    assert float((found.vectors[0] @ last).abs()) > 0.999


def test_a_tracker_that_was_packed_goes_on_to_the_bit(path: list[tuple[Tensor, Tensor]]) -> None:
    problem, whole = Teacher(), SharpnessTracker(2, seed=4)
    resumed = SharpnessTracker(2)
    for step, (theta, _) in enumerate(path[150:200]):
        hessian = Hessian.of(problem.loss, theta)
        if step == 20:
            resumed.unpack(whole.pack())
        a = whole.measure(hessian, theta, catch=4.0)
        if step >= 20:
            b = resumed.measure(hessian, theta, catch=4.0)
            assert torch.equal(a.values, b.values)
            assert torch.equal(a.vectors, b.vectors)


def test_vectors_keep_their_sign(path: list[tuple[Tensor, Tensor]]) -> None:
    problem, tracker, last = Teacher(), SharpnessTracker(restart=7), None
    for theta, _ in path[:60]:
        vector = tracker.measure(Hessian.of(problem.loss, theta), theta).vectors[0]
        assert last is None or float(vector @ last) > 0.5
        last = vector


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_whole_space_and_the_zero_operator(k: int) -> None:
    A = torch.tensor([[2.0, 1.0, 0.0], [1.0, -1.0, 0.5], [0.0, 0.5, 0.25]], dtype=torch.float64)
    for operator in (A, torch.zeros_like(A)):
        tracker = SharpnessTracker(k)
        for _ in range(3):
            found = tracker.measure(lambda v, A=operator: A @ v, A[0])
            torch.testing.assert_close(found.values, torch.linalg.eigvalsh(operator).flip(0)[:k], rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("count", [2, 3])
def test_eigenvalues_that_became_equal_are_both_found_again_by_a_cold_start(count: int) -> None:
    """As those of a central flow do, which holds them at one value: from one vector only one of them is to be seen."""
    generator = torch.Generator().manual_seed(1)
    Q = torch.linalg.qr(torch.randn(60, 60, generator=generator, dtype=torch.float64))[0]
    tracker, lower = SharpnessTracker(tol=1e-8, restart=3), torch.linspace(0, 1.2, 60 - count, dtype=torch.float64)
    for k in range(20):
        apart = torch.arange(count) * 0.02 * 0.1**k
        spectrum = torch.cat([lower, 2 + apart])
        matrix = Q @ spectrum.diag() @ Q.T
        found = tracker.measure(lambda v, matrix=matrix: matrix @ v, Q[0], 1.9)  # type: ignore[misc]
        assert found.values.numpy() == pytest.approx(spectrum[-count:].flip(0).numpy(), rel=1e-7)
        assert len(found.values) == count
