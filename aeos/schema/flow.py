"""Settings of `aeos flow-compare`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aeos.schema.fields import at_least, one_of, positive, setting, unfit
from aeos.schema.job import Curved, Job

AVERAGING = ("midpoint", "stable_flow", "central_flow", "ablated_flow")
#: The flows of each optimizer that has any.
FLOWS = {
    "gd": ("midpoint", "gradient_flow", "central_flow"),
    "rmsprop": AVERAGING,
    "scalar_rmsprop": AVERAGING,
    "adam": ("adam_order1", "adam_order2", "adam_corrected"),
}
NAMES = tuple(dict.fromkeys(name for names in FLOWS.values() for name in names))
#: Why an optimizer with momentum has none of those, and what to do instead.
MOMENTUM = (
    "has no stable or central flow: none is known for momentum; take optimizer={like}, or see where it stands to its "
    "threshold with `aeos sharpness optimizer={name}`"
)
LIKE = {"adam": "rmsprop", "nadam": "rmsprop", "amsgrad": "rmsprop", "padam": "rmsprop"}
LIKE |= {"ema": "gd", "heavy_ball": "gd", "nesterov": "gd"}
KINKED = ("relu", "hardtanh")


@dataclass
class Spectrum:
    """Every `every` steps (null: never) the `top` eigenvalues of the Hessian, and of the preconditioned one where there
    is one, to a relative error of `tol`, along flows and midpoints.
    """

    every: int | None = at_least(1, None, ", or null for never")
    top: int = at_least(1, 2)
    tol: float = setting(1e-3, lambda x: 1e-9 <= x <= 0.1, "in [1e-9, 0.1]")


@dataclass
class Rest:
    """Every `every` steps (null: never) the second moment at which RMSprop would come to rest if its parameters stood
    still, to a relative error of `tol`, beside the one that it has.
    """

    every: int | None = at_least(1, None, ", or null for never")
    tol: float = setting(1e-4, lambda x: 1e-8 <= x <= 0.1, "in [1e-8, 0.1]")


@dataclass
class FlowCompare(Curved):
    """`flows`: continuous-time models of the optimizer, and its second-order midpoints; null for all that it has.
    Adam's and central flows take `substeps` a step each, the others as many as the sharpness asks for.

    `warmup`: the optimizer takes so many of the `steps` alone; flows begin at its midpoint there. `tol`: relative error
    of the eigenvalues that a central flow follows. `smoothing`: standard deviation, in steps, of the Gaussian that
    averages what the optimizer does, to be compared with what its central flow predicts.
    `coordinates`: the trajectories of so many parameters, drawn at random, are kept.
    """

    every: int = at_least(1, 1)
    flows: list[str] | None = one_of(NAMES, None)
    substeps: int = at_least(1, 4)
    warmup: int = at_least(0, 0)
    tol: float = setting(1e-6, lambda x: 1e-14 <= x <= 1e-3, "in [1e-14, 1e-3]")
    smoothing: float = positive(50.0)
    coordinates: int = at_least(0, 16)
    sharpness: Spectrum = field(default_factory=Spectrum)
    rest: Rest = field(default_factory=Rest)

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        yield from Job.relations(node)
        if node.optimizer is None:
            return
        name = node.optimizer.name
        known = FLOWS.get(name)
        asked = known or () if node.flows is None else node.flows
        if name in LIKE and (known is None or set(asked) & {*AVERAGING, "gradient_flow"}):
            yield f"optimizer={name}: {MOMENTUM.format(name=name, like=LIKE[name])}"
        if known is None:
            yield f"optimizer={name}: has no flow; choose one of {', '.join(FLOWS)}"
            return
        if node.flows is not None and not node.flows:
            yield f"flows={node.flows}: must name at least one, or be null for all"
        yield from unfit("flows", asked, known, name)
        yield from _central(node, asked)
        if node.warmup > node.steps:
            yield f"warmup={node.warmup}: must be at most steps={node.steps}, which counts it"
        if node.rest.every is not None and name != "rmsprop":
            yield f"rest.every={node.rest.every}: only RMSprop's second moment has such a place; set optimizer=rmsprop"
        if node.warmup and name == "adam":
            yield f"warmup={node.warmup}: Adam's models begin where Adam does; set warmup=0"


def _central(node: Any, asked: Any) -> Iterator[str]:
    """What a central flow cannot be of: third derivatives do not see how kinks bend the loss."""
    if not {"central_flow", "ablated_flow"} & set(asked) or node.problem is None or node.problem.name != "network":
        return
    model = node.model or {}
    if model.get("activation") in KINKED:
        yield f"model.activation={model['activation']}: central flows need a smooth loss; choose gelu, or other flows"
    if model.get("pool") == "max":
        yield "model.pool=max: central flows need a smooth loss; choose avg, or other flows"
