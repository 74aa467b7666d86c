"""Settings of the jobs: one dataclass a command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aeos.schema.fields import at_least, fraction, nonnegative, one_of, positive, setting
from aeos.schema.flow import FlowCompare
from aeos.schema.job import Curved, Job
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
class Train(Curved):
    """`full_batch`: true refuses minibatches, false refuses to do without; null is either. `bf16`, `tf32`: training
    gradients alone may be computed in bfloat16, or with a GPU's TF32.
    """

    every: int = at_least(1, 50)
    full_batch: bool | None = None
    bf16: bool = False
    tf32: bool = False
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
        for name in ("bf16", "tf32"):
            if node[name] and node.dtype != "float32":
                yield f"{name}=true, but dtype={node.dtype}: set dtype=float32, in which all the rest is computed"
            if node[name] and node.self_stabilization.every is not None:
                yield f"{name}=true: the cubic model of self_stabilization is one of exact gradients; set {name}=false"
        if node.tf32 and node.device == "cpu":
            yield "tf32=true: only GPUs have it; set tf32=false, or device=cuda"


@dataclass
class Sharpness(Train):
    every: int = at_least(1, 10)


@dataclass
class SweepStability(Job):
    """Every point of `curve` with seeds seed, …, seed + seeds − 1; each is observed every `every` steps.

    `noise`: standard deviation of what is added to every gradient entry. `fit_from`: the slope of the log max-update is
    fitted from that fraction of the steps on. `block` points move as one ensemble in each of `workers` processes (0:
    in this one). `shards` commands share the points; this one takes the `shard`-th share, from 0 on. A point's numbers
    depend on none of these.
    """

    curve: Any = None
    seeds: int = at_least(1, 1)
    every: int = at_least(1, 10)
    noise: float = nonnegative(0.0)
    fit_from: float = fraction(0.8)
    block: int | None = at_least(1, None, ", or null to choose by a short measurement")
    workers: int | None = at_least(0, None, ", or null to choose by the length of the work")
    shards: int | None = at_least(1, None, ", or null for all points in one process")
    shard: int | None = at_least(0, None)

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        yield from Job.relations(node)
        if node.curve is None:
            yield "curve: needs a choice (`aeos list` shows them)"
        if node.shards is None and node.shard is not None:
            yield f"shard={node.shard}, but shards=null: set shards, how many there are"
        if node.shards is not None and node.shard is None:
            last = f", …, shard={node.shards - 1}" if node.shards > 1 else ""
            yield f"shards={node.shards}: say which, shard=0{last}, or add -m for all of them"
        if node.shards is not None and (node.shard or 0) >= node.shards:
            yield f"shard={node.shard}: of shards={node.shards} the last is shard={node.shards - 1}"
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
