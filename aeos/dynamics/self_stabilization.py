"""How the oscillation of gradient descent turns the sharpness back: rows along a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from aeos.curvature import NotFinite, SharpnessTracker, third_derivatives
from aeos.dynamics.discrete import Discrete
from aeos.dynamics.observers import Moment, Row
from aeos.dynamics.process import State


@dataclass
class SelfStabilization:
    """x = u·d,  α = −⟨∇L, ∇S^⊥⟩,  β = ‖∇S^⊥‖²,  D = ½(g_t + g_{t+1}) − ∇L, which the cubic model makes ½x²∇S

    All at the midpoint w̄ = (w_t + w_{t+1})/2 of the step that leaves w_t, with d = (w_t − w_{t+1})/2, the top eigenpair
    (S, u) of ∇²L(w̄), ∇S = D³L[u, u, ·] and its part ∇S^⊥ at right angles to u. The part along u is left out of α too:
    it shakes w̄ along u, with period 2, and takes it nowhere. u and w̄ of the first row with S ≥ 2/η are kept, for the
    projection of later w_t on a direction that stays.

    Weight decay of gd, decoupled or not, makes L the loss with the penalty (λ/2)‖w‖². For the full batch, and losses
    without kinks, of which the third derivative does not know. A row costs a gradient and, at w̄, a gradient's graph, a
    third derivative and a few Hessian-vector products.
    Damian, Nichani and Lee, arXiv 2209.15594.
    """

    tol: float = 1e-6
    seed: int = 0
    trackers: dict[str, SharpnessTracker] = field(default_factory=dict, init=False)
    kept: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False)  # u and w̄ where S first was 2/η

    def __call__(self, moment: Moment) -> Iterator[Row]:
        """The rows of self_stabilization.csv. Where nothing finite is left to measure, they say so by gaps."""
        for name, (process, state) in moment.states.items():
            if isinstance(process, Discrete):
                row: dict[str, Any] = {"step": state.step, "process": name}
                try:
                    row |= self._measure(name, process, state)
                except NotFinite:
                    row["train_loss"] = math.nan
                yield row

    def _measure(self, name: str, process: Discrete, state: State) -> dict[str, float]:
        ahead, _ = process.ahead(state)
        if not bool(ahead.isfinite().all()):
            raise NotFinite("the next step overflows")
        middle, half = (state.theta + ahead) / 2, (state.theta - ahead) / 2
        lr, decay = float(process.lr(state.step)), float(process.rule.weight_decay)
        (loss, here), (_, there) = process.look(state), process.problem.value_and_gradient(ahead)
        hessian = process.hessian_at(middle)
        pairs = self._tracker(name, middle).measure(hessian, middle)
        u, sharpness, threshold = pairs.vectors[0], pairs.values + decay, 2 / lr if lr else math.inf
        found = {"train_loss": loss, "midpoint_loss": hessian.value, "sharpness": sharpness[0]}
        excess = (here + there) / 2 - hessian.gradient  # the penalty is quadratic: nothing of it is left in this
        found |= terms(u, half, hessian.gradient + decay * middle, third_derivatives(hessian, u[None])[0], excess)
        if len(pairs.values) > 1:
            found |= {"second_sharpness": sharpness[1], "second_x": pairs.vectors[1] @ half}
        if name not in self.kept and float(sharpness[0]) >= threshold:
            self.kept[name] = u, middle
        if name in self.kept:
            direction, origin = (part.to(middle) for part in self.kept[name])
            found["projection"] = direction @ (state.theta - origin)
        return {"threshold": threshold} | {key: value.item() for key, value in found.items()}

    def _tracker(self, name: str, like: Tensor) -> SharpnessTracker:
        """Of the two largest eigenvalues, where there are two."""
        return self.trackers.setdefault(name, SharpnessTracker(min(2, like.numel()), tol=self.tol, seed=self.seed))

    def pack(self) -> dict[str, Any]:
        return {"trackers": {name: tracker.pack() for name, tracker in self.trackers.items()}, "kept": self.kept}

    def unpack(self, packed: dict[str, Any]) -> None:
        self.kept = packed["kept"]
        for name, content in packed["trackers"].items():
            self.trackers[name] = SharpnessTracker(tol=self.tol)
            self.trackers[name].unpack(content)


def terms(u: Tensor, half: Tensor, gradient: Tensor, slope: Tensor, excess: Tensor) -> dict[str, Tensor]:
    """What the cubic model is made of, from u, d, ∇L, ∇S and D, all (d,)."""
    across, x = slope - (u @ slope) * u, u @ half
    alpha, beta = -gradient @ across, across @ across
    return {
        "x": x,
        "share": x.abs() / half.norm(),
        "alpha": alpha,
        "beta": beta,
        "delta": (2 * alpha / beta).sqrt(),
        "cosine": excess @ slope / (excess.norm() * slope.norm()),
        "ratio": excess @ slope / (x.square() * slope.square().sum() / 2),
    }
