"""The preconditioner at which RMSprop at the edge of stability would come to rest, if θ stood still."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from aeos.curvature import Operator, Preconditioned, SharpnessTracker, lanczos
from aeos.dynamics.flows.sdcp import sdcp, smat, svec
from aeos.errors import BadInput

REACH = 0.5  # share of κ from where eigenvectors take part in a round: those nearby turn the most when P moves
MOST = 12  # of them, unless more are critical
PROBES = 10  # random products that tell the size of H's rows
MEMORY = 5  # rounds that an extrapolation looks back on
CALM = 0.3  # how far log P may move in a round that is extrapolated from


class NotConverged(BadInput):
    """The rounds were used up: the caller's to give more, or to do with less."""


@dataclass(frozen=True)
class Stationary:
    """P̄ `p` and ν̄ `nu` (d,) with the oscillation that holds them there, Σ = WᵀW for `axes` W (K, d); float64.

    `eigenvalues` are the largest of P̄⁻¹H, K of them κ. `over` is by how much the first exceeds κ, relatively, and
    `residual` ‖ν̄ − g² − diag(HΣH)‖/‖ν̄‖; `rounds` and products, `matvecs`, are what it took.
    """

    p: Tensor
    nu: Tensor
    axes: Tensor
    eigenvalues: Tensor
    over: float
    residual: float
    rounds: int
    matvecs: int


def stationary_preconditioner(
    hessian: Operator,
    gradient: Tensor,
    lr: float,
    *,
    eps: float = 0.0,
    eps_root: float = 0.0,
    kappa: float = 2.0,
    start: Tensor | None = None,
    tol: float = 1e-8,
    most: int = 100,
    seed: int = 0,
) -> Stationary:
    """ν̄ = g² + diag(HΣH),  P̄ = (√(ν̄ + eps_root) + eps)/η,  Σ ⪰ 0,  H ⪯ κP̄,  ⟨Σ, κP̄ − H⟩ = 0

    the P, diagonal, that minimizes tr P + ‖g‖²_{P⁻¹}/η² subject to H ⪯ κP (eps = eps_root = 0; else a like function,
    convex too); unique. With eps = 0 and g = 0 it is P̂, which minimizes the trace alone: η → ∞. `hessian` v ↦ Hv, any
    L2 penalty included, as in g (d,); P contains 1/η, and κ = 2 − ηλ for decoupled decay λ.

    Each round is an implicit step of ν′ = g² + diag(HΣH) − ν, as long as is stable, with the eigenvectors that P has
    at its beginning; Σ is what keeps P at the edge to its end. Anderson's extrapolation makes some 10 to 20 rounds of
    hundreds. `start`, P or near it, saves a few; from a run's own P, 300 to 400 products and a CPU's quarter second on
    the teacher problem. ∞ stands where P plays no part: in `start`, or where g, eps and the row of H are zero.
    In float32 `tol` should be 1e-4 or more.

    Raises NotConverged when after `most` rounds `residual` or `over` is above `tol`, and BadInput as
    `SharpnessTracker.measure` does. Cohen et al., arXiv 2410.24206; Anderson, J. ACM 12 (1965).
    """
    model = Model((gradient.detach().double() / lr).square(), eps / lr, eps_root / lr**2, kappa)
    p, matvecs = (start.detach().double(), 0) if start is not None else guess(hessian, gradient, model, seed)
    moves = p.isfinite()
    p = torch.where(moves, p, 1.0)
    tracker, extrapolation = SharpnessTracker(seed=seed), Extrapolation()
    finest = max(0.1 * tol, 10 * torch.finfo(gradient.dtype).eps)
    U, Z, residual = p.new_zeros(0, len(p)), p.new_zeros(0, 0), 1.0
    for rounds in range(1, most + 1):
        tracker.tol = min(1e-3, max(0.1 * residual, finest) ** 2)  # a vector's error is a root of its value's
        pairs = tracker.measure(Preconditioned(hessian, p.to(gradient)), gradient, REACH * kappa)
        matvecs += pairs.matvecs
        e = pairs.values[pairs.values > REACH * kappa]
        e = e[: max(MOST, int((e > 0.975 * kappa).sum()))]
        before, U = U, pairs.vectors[: len(e)].double() * p.rsqrt()
        turn = (before * p) @ U.T
        Z, ahead = implicit(model, p, U, e.to(p), turn.T @ Z @ turn)
        HU, nu = e.to(p)[:, None] * p * U, model.nu(p)
        wrong = torch.where(moves, nu - model.h2 - (HU * (Z @ HU)).sum(0) / kappa, 0.0)
        residual, over = float(wrong.norm() / nu.norm()), max(0.0, float(pairs.values[0]) / kappa - 1)
        if max(residual, over) <= tol:
            x, Q = torch.linalg.eigh(Z)
            kept = x > 1e-12 * x[-1:].sum()
            axes = ((lr**2 / kappa) * x[kept]).sqrt()[:, None] * (Q.T[kept] @ U)
            p, nu = torch.where(moves, p, torch.inf), torch.where(moves, lr**2 * nu, 0.0)
            return Stationary(p, nu, axes, pairs.values, over, residual, rounds, matvecs)
        p = extrapolation(p.log(), torch.where(moves, ahead, p).log()).exp()
    raise NotConverged(
        f"stationary preconditioner: residual {residual:.1e}, {over:.1e} over the edge after {most} rounds, "
        f"tol={tol:.0e}; raise most or tol"
    )


@dataclass(frozen=True)
class Model:
    """ν/η² = (P − a)² − r, to be h² + diag(HΣH)/η²:  h = g/η, a = eps/η, r = eps_root/η²"""

    h2: Tensor
    a: float
    r: float
    kappa: float

    def nu(self, p: Tensor) -> Tensor:
        return (p - self.a).square() - self.r

    def rest(self) -> Tensor:
        """P without oscillation."""
        return (self.h2 + self.r).sqrt() + self.a


def guess(hessian: Operator, gradient: Tensor, model: Model, seed: int) -> tuple[Tensor, int]:
    """The P without oscillation or, where larger, one in proportion to H's rows that is at the edge; products taken."""
    generator, squares = torch.Generator().manual_seed(seed), torch.zeros_like(gradient)
    for _ in range(PROBES):
        probe = torch.randn(len(gradient), generator=generator, dtype=torch.float64).to(gradient)
        squares += hessian(probe).square() / PROBES
    rows, rest = squares.sqrt(), model.rest()
    pairs = lanczos(
        Preconditioned(hessian, rows.masked_fill(rows == 0, torch.inf)), gradient, tol=0.1, generator=generator
    )
    p = torch.maximum(rest, rows.double() * max(0.0, float(pairs.values[0])) / model.kappa)
    return p.masked_fill(p == 0, torch.inf), PROBES + pairs.matvecs


def implicit(model: Model, start: Tensor, U: Tensor, e: Tensor, Z: Tensor) -> tuple[Tensor, Tensor]:
    """s ν(P) = h² + (s − 1) ν(P₀) + κP² diag(UᵀZU),  Z ⪰ 0, U(κP − H)Uᵀ ⪰ 0, complementary:  Z (k, k), P (d,)

    an implicit step of length 1/(s − 1) from P₀ = `start`, where UP₀Uᵀ = I, UHUᵀ = diag e; Z = κΣ/η² in these
    directions. s − 1 is the share of ν(P₀) that is not gradient: how far the oscillation of such a coordinate turns
    with P, which a step without regard to it would overdo.

    P follows from z = diag(UᵀZU) in closed form and grows with it: Newton's steps, each a complementarity problem, on a
    convex function of Z whose gradient is U(κP − H)Uᵀ, shortened until it no longer rises much at their end.
    """
    kappa, i, j = model.kappa, *torch.triu_indices(len(U), len(U))
    q = torch.where(i == j, 1, 2).to(U).sqrt()[:, None] * U[i] * U[j]
    s = 1 + ((model.nu(start) - model.h2) / start.square()).clamp(0, 1)
    C = model.h2 + (s - 1) * model.nu(start) + s * (model.r - model.a**2)

    def at(Z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """s − κz, P, dP/dz"""
        t = s - kappa * (svec(Z) @ q)
        root = ((s * model.a).square() + t * C).clamp_min(0).sqrt()
        p = (s * model.a + root) / t
        root = root.maximum(1e-8 * p)  # zero, and dP/dz infinite, where P = a: neither gradient nor oscillation
        return t, p, kappa * p.square() / (2 * root)

    def slope(p: Tensor) -> Tensor:
        return kappa * (U * p) @ U.T - torch.diag(e)

    Z = Z * min(1.0, 0.9 / max(1e-300, float((1 - (at(Z)[0]) / s).max())))
    t, p, dp = at(Z)
    for _ in range(30 if len(U) else 0):
        Y, M = slope(p), kappa * (q * dp) @ q.T
        move = sdcp(Y - smat(M @ svec(Z)), M).X - Z
        fall, scale = -float((Y * move).sum()), float((kappa + e) @ Z.diagonal().abs())
        close = fall <= 1e-10 * scale  # then it is nearly a parabola, and soon the fall nothing but rounding
        shrink = kappa * (svec(move) @ q) / t
        length = min(1.0, 0.9 / max(1e-300, float(shrink.max())))
        while True:
            t, p, dp = at(Z + length * move)
            if close or float((slope(p) * move).sum()) <= 0.5 * fall or length < 1e-6:
                break
            length /= 2
        Z = Z + length * move
        if close and float(move.norm()) <= 1e-9 * float(Z.norm()):
            break
    return Z, p


@dataclass
class Extrapolation:
    """Anderson's: from x ↦ f(x) near its fixed point, the combination of the last f(x) whose moves f(x) − x cancel."""

    ends: list[Tensor] = field(default_factory=list)
    moves: list[Tensor] = field(default_factory=list)

    def __call__(self, x: Tensor, end: Tensor) -> Tensor:
        self.ends, self.moves = [*self.ends, end][-MEMORY - 1 :], [*self.moves, end - x][-MEMORY - 1 :]
        if len(self.ends) == 1 or float((end - x).abs().max()) > CALM:
            return end
        ends, moves = torch.stack(self.ends).diff(dim=0), torch.stack(self.moves).diff(dim=0)
        Q, R = torch.linalg.qr(moves.T)
        shares = torch.linalg.lstsq(R.cpu(), (Q.T @ (end - x)).cpu()[:, None], rcond=1e-10, driver="gelsd").solution
        return end - shares[:, 0].to(ends) @ ends
