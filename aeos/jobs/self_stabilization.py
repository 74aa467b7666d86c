"""Self-stabilization along a run: what its settings ask for, and which runs the cubic model is not about."""

from __future__ import annotations

from omegaconf import DictConfig

from aeos.dynamics import SelfStabilization, Watch
from aeos.errors import BadInput
from aeos.optimizers.rules import Rule


def self_stabilization_watches(config: DictConfig, rule: Rule) -> list[Watch]:
    """The observer of self_stabilization.csv; none where `self_stabilization.every` is null.

    Raises BadInput for another optimizer than gd and for minibatches.
    """
    every = config.self_stabilization.every
    if every is None:
        return []
    if rule.name != "gd":
        raise BadInput(
            f"self_stabilization.every={every}: the cubic model is one of gradient descent, which "
            f"optimizer={rule.name} is not; choose optimizer=gd"
        )
    if config.batch_size is not None:
        raise BadInput(
            f"self_stabilization.every={every}: the cubic model is one of the full batch; set batch_size=null"
        )
    return [Watch("self_stabilization", every, SelfStabilization(seed=config.seed))]
