"""Where RMSprop's second moment would come to rest, beside where it is: rows along midpoints and flows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from aeos.curvature import NotFinite
from aeos.dynamics.flows.flow import Flow
from aeos.dynamics.flows.midpoint import Midpoint
from aeos.dynamics.flows.stationary import NotConverged, stationary_preconditioner
from aeos.dynamics.observers import Moment, Row
from aeos.dynamics.process import State


@dataclass(frozen=True)
class Rest:
    """cos(√ν̂, √ν̄) and ‖√ν̂‖/‖√ν̄‖: ν̂ bias-corrected as it is at this θ, ν̄ what it would come to if θ stood still

    By `stationary_preconditioner`, to `tol`; of RMSprop alone. Where that does not converge the columns stay empty.
    """

    tol: float = 1e-4

    def __call__(self, moment: Moment) -> Iterator[Row]:
        for name, (process, state) in moment.states.items():
            if isinstance(process, Flow | Midpoint):
                row: dict[str, Any] = {"step": state.step, "process": name}
                with suppress(NotFinite, NotConverged):
                    row |= self._measure(process, state)
                yield row

    def _measure(self, process: Flow | Midpoint, state: State) -> dict[str, float]:
        rule: Any = process.discrete.rule
        lr, decay = process.lr(state.step), float(rule.weight_decay)
        ridge = float(rule.ridge)
        hessian = process.discrete.hessian_at(state.theta)

        def product(v: Tensor) -> Tensor:
            return hessian(v).add_(v, alpha=ridge)

        found = stationary_preconditioner(
            product,
            hessian.gradient + ridge * state.theta,
            lr,
            eps=float(rule.eps),
            eps_root=float(rule.eps_root),
            kappa=2 - lr * decay if rule.decoupled else 2.0,
            start=process.divisor(state) / lr,
            tol=self.tol,
        )
        here, there = second_moment(process, state).double().sqrt(), found.nu.sqrt()
        return {
            "cosine": float(torch.cosine_similarity(here, there, dim=0)),
            "ratio": float(here.norm() / there.norm()),
            "critical": len(found.axes),
            "residual": found.residual,
            "matvecs": found.matvecs,
        }


def second_moment(process: Flow | Midpoint, state: State) -> Tensor:
    """ν̂ = ν/c, (d,)."""
    if isinstance(process, Flow):
        return state.memory["v"] / float(state.memory["weight"])
    rule: Any = process.discrete.rule
    return state.memory["v"] / float(rule.weight(int(state.memory["step"])))
