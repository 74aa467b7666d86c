"""The central flow written out once more: dense Hessians and their dense derivatives, NumPy, no index bookkeeping."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, jacrev, jvp, vmap

from aeos.dynamics import Discrete, State
from aeos.optimizers.rules.base import Rule
from aeos.problems.base import Problem

Array = np.ndarray


@dataclass(frozen=True)
class Local:
    """Where the flow stands: L, ∇L, H (d, d), P (d,), the K critical eigenvalues, U (d, K) with UᵀPU = I, and
    D (K, K, d), D_ij = ∇(uᵢᵀHuⱼ); gradient and Hessian include an L2 penalty's, L does not.
    """

    value: float
    gradient: Array
    H: Array
    P: Array
    e: Array
    U: Array
    D: Array


def hessian(problem: Problem, theta: Array) -> Array:
    return jacrev(grad(problem.loss))(torch.from_numpy(theta)).numpy()


def turns(problem: Problem, theta: Array, U: Array) -> Array:
    """∇(uᵢᵀHuⱼ), (K, K, d), for columns of U: backward once, over forward twice."""
    at, columns = torch.from_numpy(theta), torch.from_numpy(U.T.copy())

    def turn(u: Tensor, v: Tensor) -> Tensor:
        return grad(lambda x: jvp(lambda y: jvp(problem.loss, (y,), (u,))[1], (x,), (v,))[1])(at)

    return vmap(lambda u: vmap(lambda v: turn(u, v))(columns))(columns).numpy()


@dataclass
class Twin:
    """θ′ = −P⁻¹(∇L + ½∇⟨H, Σ⟩) − ηλ_dθ,  ν′ = a(g² + diag(HΣH) − ν),  c′ = a(1 − c),  a = (1 − β₂)/β₂

    Σ = UXUᵀ keeps Uᵀ(κP − H)U ⪰ 0 at the end of a substep of Euler's method, with X ⪰ 0 and complementary to it.
    """

    problem: Problem
    rule: Rule
    theta: Array
    nu: Array
    weight: float
    step: int = 0
    substeps: int = 4
    cut: float = 0.975
    regularized: bool = True
    schedule: Callable[[int], float] = lambda _: 1.0

    @property
    def lr(self) -> float:
        return float(self.rule.lr * self.schedule(self.step))

    @property
    def decay(self) -> tuple[float, float]:
        """(λ of an L2 penalty, λ of decoupled decay); for gradient descent the two are one."""
        both = float(self.rule.weight_decay)
        return (0.0, both) if self.rule.decoupled and self.rule.name != "gd" else (both, 0.0)

    @property
    def edge(self) -> float:
        return 2 - self.lr * self.decay[1]

    @property
    def rate(self) -> float:
        beta2 = getattr(self.rule, "beta2", 1.0)
        return (1 - beta2) / beta2

    def root(self) -> Array:
        rule: Any = self.rule
        return np.sqrt(self.nu / self.weight + rule.eps_root)

    def preconditioner(self) -> Array:
        rule: Any = self.rule
        return np.ones(1) / self.lr if rule.name == "gd" else (self.root() + rule.eps) / self.lr

    def local(self) -> Local:
        theta, ridge = torch.from_numpy(self.theta), self.decay[0]
        value, gradient = self.problem.value_and_gradient(theta)
        H = hessian(self.problem, self.theta) + ridge * np.eye(len(theta))
        P = np.broadcast_to(self.preconditioner(), len(theta))
        q = 1 / np.sqrt(P)
        e, V = (found.flip(-1).numpy() for found in torch.linalg.eigh(torch.from_numpy(q[:, None] * H * q)))
        e, U = e[e > self.cut * self.edge], q[:, None] * V[:, e > self.cut * self.edge]
        D = turns(self.problem, self.theta, U) if len(e) else np.zeros((0, 0, len(theta)))
        return Local(value.item(), gradient.numpy() + ridge * self.theta, H, P, e, U, D)

    def velocity(self, at: Local, X: Array) -> tuple[Array, Array, float]:
        """(θ′, ν′, c′)"""
        turn = np.tensordot(X, at.D, 2) / 2
        theta = -(at.gradient + self.regularized * turn) / at.P - self.lr * self.decay[1] * self.theta
        if self.rule.name == "gd":
            return theta, np.zeros(1), 0.0
        HU = at.H @ at.U
        square = at.gradient**2 + np.sum(HU @ X * HU, axis=1)
        if self.rule.name == "scalar_rmsprop":
            square = square.sum(keepdims=True)
        corrected = getattr(self.rule, "bias_correction", False)
        return theta, self.rate * (square - self.nu), self.rate * (1 - self.weight) * corrected

    def slope(self, at: Local, X: Array) -> Array:
        """d/dt Uᵀ(κP − H)U, U fixed."""
        theta, nu, weight = self.velocity(at, X)
        turned = np.tensordot(at.D, theta, 1)
        if self.rule.name == "gd":
            return -turned
        P = (nu / self.weight - self.nu * weight / self.weight**2) / (2 * self.root() * self.lr)
        return self.edge * at.U.T @ (P[:, None] * at.U if len(P) > 1 else P * at.U) - turned

    def covariance(self, at: Local) -> Array:
        """X (K, K)"""
        dt, K = 1 / self.substeps, len(at.e)
        if not K:
            return np.zeros((0, 0))
        still = self.slope(at, np.zeros((K, K)))
        E = basis(K)
        columns = [dt * (self.slope(at, one) - still) for one in E]
        M = np.tensordot(columns, E, ([1, 2], [1, 2])).T
        A = np.diag(self.edge - at.e) + dt * still
        return complementary((A + A.T) / 2, (M + M.T) / 2)

    def substep(self) -> tuple[Local, Array]:
        at, dt = self.local(), 1 / self.substeps
        X = self.covariance(at)
        theta, nu, weight = self.velocity(at, X)
        self.theta, self.nu, self.weight = self.theta + dt * theta, self.nu + dt * nu, self.weight + dt * weight
        return at, X

    def advance(self) -> tuple[Local, Array]:
        """One step of the optimizer's; what it began with."""
        first = self.substep()
        for _ in range(self.substeps - 1):
            self.substep()
        self.step += 1
        return first


def basis(K: int) -> Array:
    """(m, K, K): orthonormal, of the symmetric matrices."""
    e = np.eye(K)
    E = [np.outer(e[i], e[j]) + np.outer(e[j], e[i]) for i in range(K) for j in range(i, K)]
    return np.array([one / np.linalg.norm(one) for one in E])


def complementary(A: Array, M: Array) -> Array:
    """X ⪰ 0, Y = A + B[X] ⪰ 0, ⟨X, Y⟩ = 0: Y = 0 if that X does, else accelerated projected gradient with restart."""
    E = basis(len(A))
    assert np.linalg.eigvalsh(M)[0] > 0, "far from the edge its symmetric part may be indefinite, and X not unique"
    if np.linalg.eigvalsh(A)[0] >= 0:
        return np.zeros_like(A)
    a = np.tensordot(E, A, 2)
    X = np.tensordot(np.linalg.solve(M, -a), E, 1)
    if np.linalg.eigvalsh(X)[0] >= 0:
        return X
    X = Z = projected(X)
    step, t = 1 / np.linalg.eigvalsh(M)[-1], 1.0
    for _ in range(20000):
        new = projected(Z - step * np.tensordot(a + M @ np.tensordot(E, Z, 2), E, 1))
        move = new - X
        t = 1.0 if np.sum((Z - new) * move) > 0 else t
        s = (1 + np.sqrt(1 + 4 * t * t)) / 2
        X, Z, t = new, new + (t - 1) / s * move, s
        if np.linalg.norm(move) <= 1e-15 * np.linalg.norm(X):
            break
    return X


def projected(X: Array) -> Array:
    z, Q = np.linalg.eigh(X)
    return (Q * np.maximum(z, 0)) @ Q.T


def begin(discrete: Discrete, steps: int, seed: int, **how: Any) -> tuple[Twin, State]:
    """A twin at the second-order midpoint after so many steps of an optimizer, and the optimizer's state there."""
    state = discrete.init(discrete.problem.init(seed))
    last = state.theta.clone()
    for _ in range(steps):
        last = state.theta.clone()
        state = discrete.advance(state)
    later = discrete.advance(copy.deepcopy(state))
    theta = (last + 2 * state.theta + later.theta).numpy() / 4
    beta2 = getattr(discrete.rule, "beta2", 0.0) if getattr(discrete.rule, "bias_correction", True) else 0.0
    nu = later.memory["v"].numpy() if "v" in later.memory else np.zeros(1)
    schedule = discrete.schedule or (lambda _: 1.0)
    twin = Twin(discrete.problem, discrete.rule, theta, nu, 1 - beta2 ** (steps + 1), steps, schedule=schedule, **how)
    return twin, state
