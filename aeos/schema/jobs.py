"""Settings of the jobs: one dataclass a command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aeos.schema.fields import at_least, fraction, nonnegative, one_of, positive, setting
from aeos.schema.flow import FlowCompare
from aeos.schema.job import Job
from aeos.schema.sde import SdeCompare


@dataclass
class Measure:
    """What is measured of the sharpness, every `every` steps (null: never).

    `top`: so many eigenvalues; `catch`: and all above that fraction of the threshold. `tol`: relative error of the
    eigenvalues. `critical`: the critical sharpness too; `batches`: the batch sharpness over so many minibatches.
    """

    every: int | None = at_least(1, None, ", or null for never")
    top: int = at_least(1, 1)
    catch: float | None = positive(None)
    tol: float = setting(1e-3, lambda x: 1e-9 <= x <= 0.1, "in [1e-9, 0.1]")
    at: str = one_of(("iterates", "midpoints"), "iterates")
    critical: bool = False
    batches: int = at_least(0, 0)


@dataclass
class ScaleInvariance:
    """The norms of scale-invariant weights against their continuous-time laws, every `every` steps (null: never).

    `lags`: how many steps back the gradients lie that are compared with the weights of now.
    """

    every: int | None = at_least(1, None, ", or null for never")
    lags: list[int] = at_least(0, [0, 1, 2, 5, 10, 20, 50, 100])


@dataclass
class SelfStabilization:
    """How the oscillation of gradient descent turns the sharpness back, every `every` steps (null: never)."""

    every: int | None = at_least(1, None, ", or null for never")


@dataclass
class Train(Job):
    """`full_batch`: true refuses minibatches, false refuses to do without; null is either."""

    every: int = at_least(1, 50)
    full_batch: bool | None = None
    sharpness: Measure = field(default_factory=Measure)
    scale_invariance: ScaleInvariance = field(default_factory=ScaleInvariance)
    self_stabilization: SelfStabilization = field(default_factory=SelfStabilization)

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        yield from Job.relations(node)
        if node.full_batch and node.batch_size is not None:
            yield f"full_batch=true, but batch_size={node.batch_size}: set batch_size=null"
        if node.full_batch is False and node.batch_size is None:
            yield "full_batch=false, but batch_size=null: set batch_size"
        if node.sharpness.batches and node.batch_size is None:
            yield f"sharpness.batches={node.sharpness.batches}: there are no minibatches; set batch_size"


@dataclass
class Sharpness(Train):
    every: int = at_least(1, 10)


@dataclass
class SweepStability(Job):
    """Every point of `curve` with seeds seed, …, seed + seeds − 1; each is observed every `every` steps.

    `noise`: standard deviation of what is added to every gradient entry. `fit_from`: the slope of the log max-update is
    fitted from that fraction of the steps on. `block` points move as one ensemble in each of `workers` processes (0:
    in this one); a point's numbers depend on neither.
    """

    curve: Any = None
    seeds: int = at_least(1, 1)
    every: int = at_least(1, 10)
    noise: float = nonnegative(0.0)
    fit_from: float = fraction(0.8)
    block: int | None = at_least(1, None, ", or null to choose by a short measurement")
    workers: int | None = at_least(0, None, ", or null to choose by the length of the work")

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        yield from Job.relations(node)
        if node.curve is None:
            yield "curve: needs a choice (`aeos list` shows them)"
        if node.optimizer is None:
            return
        if not {"beta1", "beta2"} <= set(node.optimizer):
            yield f"optimizer={node.optimizer.name} has no beta1 and beta2 to sweep: choose adam, kadam or the like"
        if node.optimizer.get("stages") is not None:
            yield "optimizer.stages: would override beta1 and beta2, which the curve sets; leave it null"


JOBS = {
    "train": Train,
    "sharpness": Sharpness,
    "flow_compare": FlowCompare,
    "sde_compare": SdeCompare,
    "sweep_stability": SweepStability,
}
