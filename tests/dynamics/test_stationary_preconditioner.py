"""Would catch a preconditioner that is at rest but not the minimum, at the edge but not at rest, or off by an eps."""

from __future__ import annotations

from functools import cache
from typing import Any

import cvxpy
import numpy as np
import pytest
import torch

from aeos.dynamics import Discrete
from aeos.dynamics.flows.stationary import NotConverged, Stationary, stationary_preconditioner
from aeos.errors import BadInput
from aeos.optimizers.rules import RMSprop
from aeos.problems.analytic import Teacher

Array = np.ndarray
PROBLEM = Teacher()


def solve(H: Array, g: Array, lr: float, **how: Any) -> Stationary:
    matrix = torch.from_numpy(H)
    return stationary_preconditioner(lambda v: matrix @ v, torch.from_numpy(g), lr, **how)


def wrong(found: Stationary, H: Array, g: Array, lr: float, eps: float = 0, root: float = 0, kappa: float = 2) -> float:
    """The largest violation of the conditions under the title of `stationary_preconditioner`, relative to each."""
    p, W = found.p.numpy(), found.axes.numpy()
    nu, slack, covariance = g**2 + np.sum((W @ H) ** 2, axis=0), np.diag(kappa * p) - H, W.T @ W
    rest = (np.sqrt(nu + root) + eps) / lr
    return max(
        np.linalg.norm(found.nu.numpy() - nu) / np.linalg.norm(nu),
        np.linalg.norm(p - rest) / np.linalg.norm(p),
        -np.linalg.eigvalsh(slack / np.sqrt(np.outer(p, p)))[0] / kappa,
        abs(np.sum(covariance * slack)) / np.sum(covariance.diagonal() * kappa * p) if len(W) else 0,
    )


def program(H: Array, g: Array, lr: float) -> tuple[Array, float]:
    """min tr P + ‖g‖²_{P⁻¹}/η²,  H ⪯ 2P: P and the minimum by semidefinite programming."""
    P = cvxpy.Variable(len(g), nonneg=True)
    cost = cvxpy.sum(P)
    if g.any():
        cost += cvxpy.sum(cvxpy.multiply((g / lr) ** 2, cvxpy.inv_pos(P)))
    problem = cvxpy.Problem(cvxpy.Minimize(cost), [2 * cvxpy.diag(P) - H >> 0])
    problem.solve(solver=cvxpy.CLARABEL, **dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-10))
    return P.value, problem.value


def random(seed: int, d: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((d, d))
    return A + A.T, rng.standard_normal(d)


@cache
def run(steps: int) -> tuple[Array, Array, Array]:
    """H and g at the midpoint of RMSprop's so manieth step on the teacher problem, and its √ν."""
    optimizer = Discrete(PROBLEM, RMSprop(lr=0.003))
    state = optimizer.init(PROBLEM.init(0))
    for _ in range(steps):
        state = optimizer.advance(state)
    ahead, memory = optimizer.ahead(state)
    theta = optimizer.midpoint(state, ahead)
    H = torch.func.jacrev(torch.func.grad(PROBLEM.loss))(theta).numpy()
    nu = memory["v"] / optimizer.rule.weight(steps + 1)
    return (H + H.T) / 2, PROBLEM.value_and_gradient(theta)[1].numpy(), nu.sqrt().numpy()


# Closed form


def test_where_coordinates_do_not_interact_each_has_its_own() -> None:
    """P̄ᵢ = max((|gᵢ| + eps)/η, hᵢ/κ),  K = how many are at the edge."""
    h, g = np.array([8.0, -3.0, 1.0, 5.0, 0.5, 12.0]), np.array([0.1, 0.2, 0.3, 1.0, 0.01, -0.3])
    found = solve(np.diag(h), g, 0.1, eps=1e-3, kappa=1.9)
    np.testing.assert_allclose(found.p, np.maximum((np.abs(g) + 1e-3) / 0.1, h / 1.9), rtol=1e-7)
    assert len(found.axes) == 3
    assert solve(np.diag(h), g, 1e-3).axes.shape == (0, 6)


# Other means


def agrees(H: Array, g: Array, lr: float, K: int) -> None:
    """To what the other solver can: its minimum to 1e-9, set after 2e-11, and P to the root of that: 1e-5."""
    found = solve(H, g, lr)
    P, least = program(H, g, lr)
    assert len(found.axes) == K
    assert float(np.sum(found.p.numpy() + (g / lr) ** 2 / found.p.numpy())) == pytest.approx(least, rel=1e-9)
    np.testing.assert_allclose(found.p, P, rtol=3e-5)


@pytest.mark.parametrize(("seed", "d", "lr", "K"), [(0, 8, 1.0, 1), (1, 16, 0.3, 2), (3, 20, 4.0, 3), (4, 20, 1.0, 4)])
def test_it_is_the_semidefinite_programs(seed: int, d: int, lr: float, K: int) -> None:
    agrees(*random(seed, d), lr, K)


def test_and_so_it_is_for_a_block_of_the_teachers() -> None:
    H, g, _ = run(100)
    some = np.arange(0, 202, 6)
    agrees(H[np.ix_(some, some)], g[some], 0.01, 2)


def test_without_gradient_it_has_the_least_trace() -> None:
    H, g = random(5, 12)
    agrees(H @ H / 12, 0 * g, 1.0, 2)


def test_duality_proves_the_teachers_whole_one() -> None:
    """⟨H, Z⟩ + (2/η) Σ |gᵢ| √(1 − 2Zᵢᵢ), Z = 2Σ/η², is below the minimum for any Z ⪰ 0 with diag Z < 1/2."""
    H, g, root = run(600)
    lr = 0.003
    found = solve(H, g, lr, start=torch.from_numpy(root / lr))
    assert len(found.axes) >= 2  # set after: 3
    assert wrong(found, H, g, lr) < 2e-8
    Z = 2 / lr**2 * found.axes.numpy().T @ found.axes.numpy()
    below = np.sum(H * Z) + 2 / lr * np.sum(np.abs(g) * np.sqrt(1 - 2 * Z.diagonal()))
    P = found.p.numpy() * (1 + found.over)
    above = np.sum(P + (g / lr) ** 2 / P)
    assert 0 < above - below < 1e-9 * above  # set after: 4e-11
    np.testing.assert_allclose(solve(H, g, lr, seed=1).p, found.p, rtol=1e-6)  # wherever it starts
    assert found.rounds < 20
    assert found.matvecs < 600  # set after: 10 and 304


# Properties


@pytest.mark.parametrize(("eps", "root", "kappa"), [(1e-8, 0, 2), (0.3, 0, 1.9), (0, 0.2, 2), (1.0, 0.5, 1.5)])
def test_each_eps_has_its_place(eps: float, root: float, kappa: float) -> None:
    H, g = random(4, 20)
    found = solve(H, g, 0.5, eps=eps, eps_root=root, kappa=kappa)
    assert len(found.axes) >= 2
    assert wrong(found, H, g, 0.5, eps, root, kappa) < 3e-8


def test_it_scales() -> None:
    """P̄(cH, cg) = cP̄(H, g);  P̄ of a permutation is the permutation of P̄."""
    H, g = random(2, 20)
    p = solve(H, g, 0.5).p
    np.testing.assert_allclose(solve(1e3 * H, 1e3 * g, 0.5).p, 1e3 * p, rtol=1e-6)
    order = np.random.default_rng(0).permutation(20)
    np.testing.assert_allclose(solve(H[np.ix_(order, order)], g[order], 0.5).p, p[order], rtol=1e-6)


def test_at_the_edge_a_runs_own_comes_near() -> None:
    """The cosine of √ν and √ν̄: .76 at step 100, .997 and more after 600; |g| against √ν stays below .81."""
    found = []
    for steps in (100, 600):
        H, g, root = run(steps)
        at_rest = solve(H, g, 0.003, eps=1e-8, tol=1e-4).nu.sqrt().numpy()
        found.append(float(at_rest @ root / np.linalg.norm(at_rest) / np.linalg.norm(root)))
    assert found[0] < 0.85
    assert found[1] > 0.98


def test_what_plays_no_part_stands_at_infinity() -> None:
    H, g = random(1, 16)
    H, g = np.pad(H, (0, 2)), np.pad(g, (0, 2))
    found, alone = solve(H, g, 0.3), solve(H[:16, :16], g[:16], 0.3)
    assert np.isinf(found.p.numpy()[16:]).all()
    assert not found.nu[16:].any()
    np.testing.assert_allclose(found.p[:16], alone.p, rtol=1e-6)
    np.testing.assert_allclose(solve(H, g, 0.3, eps=1e-3).p[16:], 1e-3 / 0.3)


def test_single_precision_is_good_for_four_digits() -> None:
    H, g = random(4, 20)
    matrix = torch.from_numpy(H).float()
    found = stationary_preconditioner(lambda v: matrix @ v, torch.from_numpy(g).float(), 1.0, tol=1e-4)
    np.testing.assert_allclose(found.p, solve(H, g, 1.0).p, rtol=1e-3)


def test_it_says_so_where_it_has_not_converged() -> None:
    with pytest.raises(NotConverged, match="after 3 rounds, tol=1e-08; raise most or tol"):
        solve(*random(4, 20), 1.0, most=3)
    assert issubclass(NotConverged, BadInput)
