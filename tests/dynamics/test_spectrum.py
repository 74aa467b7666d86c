"""Would catch: eigenvalues of another operator than the row says, or by another P than that of the step to come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from aeos.dynamics import CentralFlow, Discrete, Memory, Midpoint, Moment, Simulation, Spectrum, StableFlow, Watch
from aeos.optimizers.rules import GD, RMSprop, ScalarRMSprop
from aeos.problems.analytic import Quadratic

H = np.array([1.0, 2.0, 5.0])
GRADIENT = H * [1.0, -2.0, 0.5]  # at the start; after one step ν/c is its square, and so is ν/c of a flow


def rows(rule: Any, top: int = 2) -> dict[tuple[str, str], list[float]]:
    """(process, operator) → its eigenvalues at the start."""
    problem = Quadratic(H.tolist(), start=(GRADIENT / H).tolist(), dtype=torch.float64)
    optimizer, memory = Discrete(problem, rule, name="optimizer"), Memory()
    flows = [Midpoint(optimizer), CentralFlow(optimizer), StableFlow(optimizer, parts=1)]
    watch = Watch("eigenvalues", 1, Spectrum(top, tol=1e-9))
    Simulation([optimizer, *flows], problem.init(0), [watch], memory).run(0)
    found: dict[tuple[str, str], list[float]] = {}
    for row in memory.rows["eigenvalues"]:
        values = found.setdefault((row["process"], row["operator"]), [])
        values.append(row["value"])
        assert row["index"] == len(values)
    return found


FLOWS = ("midpoint", "central_flow", "stable_flow")
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "gd": (GD(lr=0.01), {"hessian": H}),
    "gd with L2": (GD(lr=0.01, weight_decay=0.5, decoupled=False), {"hessian": H, "preconditioned": H + 0.5}),
    "rmsprop": (RMSprop(lr=0.01, eps=0.0), {"hessian": H, "preconditioned": H / np.abs(GRADIENT)}),
    "scalar rmsprop": (
        ScalarRMSprop(lr=0.01, eps=0.0),
        {"hessian": H, "preconditioned": H / np.linalg.norm(GRADIENT)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_of_the_hessian_and_of_the_preconditioned_one(case: str) -> None:
    rule, wanted = CASES[case]
    found = rows(rule)
    assert set(found) == {(flow, operator) for flow in FLOWS for operator in wanted}
    for (_, operator), values in found.items():
        np.testing.assert_allclose(values, np.sort(wanted[operator])[::-1][:2], rtol=1e-9)


def test_it_goes_on_from_what_it_packs() -> None:
    """Each operator is followed by its own vectors: those of one would mislead the search for the other's."""
    problem = Quadratic(H.tolist(), dtype=torch.float64)
    flow = StableFlow(Discrete(problem, RMSprop(lr=0.01)))
    moment = Moment(0, 0.0, {"flow": (flow, flow.init(problem.init(0)))})
    one, other = Spectrum(1), Spectrum(1)
    list(one(moment))
    other.unpack(one.pack())
    assert list(one(moment)) == list(other(moment))
    assert set(one.trackers) == {"flow/hessian", "flow/preconditioned"}
