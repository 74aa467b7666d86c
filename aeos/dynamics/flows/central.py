"""What an optimizer at the edge of stability does on average: central flows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from aeos.curvature import Hessian, NotFinite, Preconditioned, SharpnessTracker, third_derivatives
from aeos.dynamics.flows.flow import Flow
from aeos.dynamics.flows.preconditioner import Values
from aeos.dynamics.flows.sdcp import NoSolution, sdcp, smat, svec
from aeos.dynamics.process import State
from aeos.errors import BadInput


@dataclass(frozen=True)
class Local:
    """A point of a central flow. Rows of U are the K critical directions, UPUᵀ = I, and HU = (H + ridge)U its rows.

    The oscillation around the point has covariance Σ = UᵀXU; X is None where no finite one keeps the flow at the edge.
    Time averages, by `loss` and `squared_gradient`, are of the loss without its penalty.
    """

    value: Tensor
    gradient: Tensor
    p: Tensor
    eigenvalues: Tensor  # (K,), critical ones of P⁻¹(H + ridge)
    U: Tensor  # (K, d)
    HU: Tensor  # (K, d)
    X: Tensor | None  # (K, K)
    slopes: Values  # d/dt of all that moves
    tracker: dict[str, Any]
    matvecs: int

    def loss(self, ridge: float) -> float:
        """L + ½⟨H, Σ⟩: the time average of the loss; NaN where there is no X."""
        if self.X is None:
            return math.nan
        inner = (self.U @ (self.HU - ridge * self.U).T).double().cpu()
        return self.value.item() + 0.5 * float((inner * self.X).sum())

    def squared_gradient(self, ridge: float) -> Tensor:
        """∇L² + diag(HΣH), (d,): the time average of each entry's square."""
        if self.X is None:
            return torch.full_like(self.gradient, math.nan)
        swing = self.HU - ridge * self.U
        return self.gradient.square() + (swing * (self.X.to(swing) @ swing)).sum(0)


@dataclass
class CentralFlow(Flow):
    """θ′ = −P⁻¹(g + ½∇⟨H, Σ⟩) − ηλθ,  ν′ = a(g² + diag(HΣH) − ν),  X ⪰ 0, κP − H ⪰ 0, ⟨X, U(κP − H)Uᵀ⟩ = 0

    P, ν, a, c as in `Averaged` (gradient descent: P = 1/η), g, H and λ as in `Flow`; κ = 2, 2 − ηλ for decoupled decay.
    Σ = UᵀXU is the covariance of the oscillation that the flow averages over, in the directions whose eigenvalue of
    P⁻¹H is above `cut`·κ. X is the solution of the complementarity problem that holds these eigenvalues at κ or below,
    and zero where none reaches it: there this is the stable flow. For gradient descent with one of them, S = 2/η:
    θ′ = −η(∇L + ½σ²∇S), σ² = 2⟨−∇L, ∇S⟩/‖∇S‖².

    Euler's method with `substeps` in a step, each of which takes a gradient, the products that the eigenvectors need
    to be followed to `tol` (of the eigenvalues, relative) and K(K + 1)/2 third derivatives. With `regularized` off the
    term ½∇⟨H, Σ⟩ is left out: what only the preconditioner does to the curvature remains.

    Raises BadInput as `Flow` does, for ηλ ≥ 2, and for gd without that term, which is gradient flow.
    Cohen et al., arXiv 2410.24206.
    """

    name: str = "central_flow"
    substeps: int = 4
    tol: float = 1e-6
    cut: float = 0.975
    regularized: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.cut < 1:
            raise BadInput(f"cut={self.cut}: must be in (0, 1)")
        if self.preconditioner.rate > self.substeps:  # Euler's steps keep ν and c positive below that
            least = math.ceil(self.preconditioner.rate)
            raise BadInput(f"substeps={self.substeps}: too few for this optimizer.beta2; set substeps={least}")
        self.discrete.rule.stability_threshold()
        if not self.regularized and self.discrete.rule.name == "gd":
            raise BadInput("regularized=false: of gd nothing but gradient flow is left; choose that, or an RMSprop")

    def kappa(self, lr: float) -> float:
        """The eigenvalue of P⁻¹(H + ridge) at the edge of stability."""
        return 2 - lr * self.decay

    def linearize(self, state: State) -> Local:
        """What holds at this θ; computed once. The state's tracker stays as it is until the flow moves on."""
        if state.local is None:
            state.local = self._local({"theta": state.theta, **state.memory}, self.lr(state.step), state.tracker)
        return state.local

    def look(self, state: State) -> tuple[Tensor, Tensor]:
        local = self.linearize(state)
        return local.value, local.gradient

    def healthy(self, state: State) -> bool:
        """False also where no oscillation, however large, holds it at the edge: there the optimizer diverges, too."""
        local = self.linearize(state)
        return local.X is not None and bool(local.value.isfinite())

    def advance(self, state: State) -> State:
        now, lr = {"theta": state.theta, **state.memory}, self.lr(state.step)
        for part in range(self.substeps):
            local = self._local(now, lr, state.tracker) if part else self.linearize(state)
            if local.X is None:
                state.theta.fill_(torch.nan)
                break
            for key, value in now.items():
                value.add_(local.slopes[key], alpha=1 / self.substeps)
            state.tracker = local.tracker
        state.step += 1
        state.local = None
        return state

    def _local(self, now: Values, lr: float, packed: dict[str, Any]) -> Local:
        """All but the oscillation, which `_averaged` adds where it is not zero."""
        theta, kappa = now["theta"], self.kappa(lr)
        hessian = self.discrete.hessian_at(theta)
        g, p = hessian.gradient + self.ridge * theta, self.preconditioner.p(now, lr, theta)
        slopes = {"theta": -g / p - lr * self.decay * theta, **self.preconditioner.drift(now, g)}
        tracker = SharpnessTracker(tol=self.tol)
        if packed:
            tracker.unpack(packed)
        try:
            pairs = tracker.measure(Preconditioned(hessian, p, self.ridge), theta, self.cut * kappa)
        except NotFinite:
            nothing = theta.new_zeros(0, len(theta))
            return Local(hessian.value, hessian.gradient, p, p.new_zeros(0), nothing, nothing, None, slopes, packed, 0)
        K = int((pairs.values > self.cut * kappa).sum())
        e, V = pairs.values[:K], pairs.vectors[:K]
        HU = torch.where(p.isinf(), 0.0, e[:, None].to(V) * V * p.sqrt())
        X = e.new_zeros(K, K)
        local = Local(
            hessian.value, hessian.gradient, p, e, V * p.rsqrt(), HU, X, slopes, tracker.pack(), pairs.matvecs
        )
        return self._averaged(local, hessian, now, lr) if K else local

    def _averaged(self, local: Local, hessian: Hessian, now: Values, lr: float) -> Local:
        """With x = svec(X): θ′ = w + Wᵀx, ν′ = n + Nᵀx and d(κ − e)/dt = smat(a + Bx) hold the K eigenvalues e at κ."""
        U, HU, model, kappa, slopes = local.U, local.HU, self.preconditioner, self.kappa(lr), dict(local.slopes)
        i, j = torch.triu_indices(len(U), len(U))
        c = torch.where(i == j, 1, 2).to(U).sqrt()[:, None]
        D, UU = c * third_derivatives(hessian, U), c * U[i] * U[j]
        W = -D / (2 * local.p) if self.regularized else torch.zeros_like(D)
        N = model.seen(c * HU[i], HU[j])
        turned = model.turn(now, lr, slopes.get("v", N.new_zeros(1)), slopes.get("weight", 0.0))
        turns = model.turn(now, lr, N, 0.0)
        a = kappa * (UU * turned).sum(-1) - D @ slopes["theta"]
        B = kappa * (UU if turns.shape == UU.shape else UU.sum(-1, keepdim=True)) @ turns.T - D @ W.T
        dt = 1 / self.substeps
        A, M = torch.diag(kappa - local.eigenvalues) + dt * smat(a.double().cpu()), dt * B
        if not (A.isfinite().all() and M.isfinite().all()):
            return replace(local, X=None)
        try:
            X = sdcp(A, M).X
        except NoSolution:
            return replace(local, X=None)
        x = svec(X).to(U)
        slopes["theta"] = slopes["theta"] + x @ W
        if "v" in slopes:
            slopes["v"] = slopes["v"] + x @ N
        return replace(local, X=X, slopes=slopes)
