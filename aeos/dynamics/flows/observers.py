"""What a central flow predicts beside what the optimizer does, and the eigenvalues along flows and midpoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from aeos.curvature import NotFinite, Operator, Preconditioned, SharpnessTracker
from aeos.dynamics.flows.central import CentralFlow
from aeos.dynamics.flows.flow import Flow
from aeos.dynamics.flows.midpoint import Midpoint
from aeos.dynamics.observers import Moment, Row
from aeos.dynamics.process import Driven


@dataclass(frozen=True)
class Predictions:
    """predicted beside measured: L + ½⟨H, Σ⟩ beside L(θ), ‖∇L‖² + tr HΣH beside ‖∇L(θ)‖², X beside (UPδ)(UPδ)ᵀ

    Of each central flow and of `optimizer` with parameters θ, δ = θ − θ_flow. The last is the covariance in critical
    directions: `variance` its trace, `variance[i]` its entries in the basis in which X is diagonal, the largest first.
    Measured numbers oscillate; it is their averages over time that are predicted.
    """

    optimizer: str

    def __call__(self, moment: Moment) -> Iterator[Row]:
        if self.optimizer not in moment.states:
            return
        process, state = moment.states[self.optimizer]
        if not isinstance(process, Driven):
            return
        loss, gradient = process.look(state)
        for name, (flow, at) in moment.states.items():
            if not isinstance(flow, CentralFlow) or (local := flow.linearize(at)).X is None:
                continue
            swing = ((local.U * torch.where(local.p.isinf(), 0.0, local.p)) @ (state.theta - at.theta)).double().cpu()
            values, Q = torch.linalg.eigh(local.X)
            found = {
                "train_loss": (local.loss(flow.ridge), loss.item()),
                "squared_gradient": (local.squared_gradient(flow.ridge).sum().item(), gradient.square().sum().item()),
                "variance": (values.sum().item(), swing.square().sum().item()),
            }
            along = (Q.T @ swing).square().flip(0).tolist()
            for i, pair in enumerate(zip(values.flip(0).tolist(), along, strict=True), 1):
                found[f"variance[{i}]"] = pair
            for quantity, (predicted, measured) in found.items():
                yield {
                    "step": at.step,
                    "process": name,
                    "quantity": quantity,
                    "predicted": predicted,
                    "measured": measured,
                }


@dataclass
class Spectrum:
    """The rows of eigenvalues.csv: the `top` largest of H and of P^{-½}(H + ρI)P^{-½} along flows and midpoints.

    P without the learning rate and ρ as the rule has them, so that 2/η is the threshold of gd and RMSprop; the second
    operator is left out where it is the first.
    """

    top: int = 2
    tol: float = 1e-3
    seed: int = 0
    trackers: dict[str, SharpnessTracker] = field(default_factory=dict, init=False)

    def __call__(self, moment: Moment) -> Iterator[Row]:
        for name, (process, state) in moment.states.items():
            if not isinstance(process, Flow | Midpoint):
                continue
            rule, hessian = process.discrete.rule, process.discrete.hessian_at(state.theta)
            operators: dict[str, Operator] = {"hessian": hessian}
            if rule.name != "gd" or rule.ridge:
                operators["preconditioned"] = Preconditioned(hessian, process.divisor(state), float(rule.ridge))
            for operator, product in operators.items():
                tracker = self.trackers.setdefault(
                    f"{name}/{operator}", SharpnessTracker(self.top, tol=self.tol, seed=self.seed)
                )
                try:
                    pairs = tracker.measure(product, state.theta)
                except NotFinite:
                    continue
                about = {"step": state.step, "process": name, "operator": operator}
                found = zip(pairs.values.tolist(), pairs.residuals.tolist(), strict=True)
                for index, (value, residual) in enumerate(found, 1):
                    yield about | {"index": index, "value": value, "residual": residual}

    def pack(self) -> dict[str, Any]:
        return {key: tracker.pack() for key, tracker in self.trackers.items()}

    def unpack(self, packed: dict[str, Any]) -> None:
        for key, content in packed.items():
            self.trackers[key] = SharpnessTracker(self.top, tol=self.tol)
            self.trackers[key].unpack(content)
