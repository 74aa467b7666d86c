"""The scale-invariance experiment of a run: what its settings ask for, and which runs cannot have it."""

from __future__ import annotations

from omegaconf import DictConfig

from aeos.dynamics import ScaleInvariance, Watch
from aeos.errors import BadInput
from aeos.optimizers.rules import Adam, NAdam, Rule
from aeos.problems.base import Problem


def scale_invariance_watches(config: DictConfig, problem: Problem, rule: Rule) -> list[Watch]:
    """The observers of scale_invariance.csv and alignments.csv; none where `scale_invariance.every` is null.

    Raises BadInput for a problem without scale-invariant matrices and for a rule that the laws are not about.
    """
    wanted = config.scale_invariance
    if wanted.every is None:
        return []
    slices = problem.scale_invariant()
    if not slices:
        raise BadInput(
            f"scale_invariance.every={wanted.every}: this problem has no scale-invariant matrices; "
            "choose data=text model=transformer (or an image data set and model=vit) with model.qk_norm=true"
        )
    if not isinstance(rule, Adam) or isinstance(rule, NAdam):
        raise BadInput(
            f"scale_invariance.every={wanted.every}: the norm's law is about u = m/P with one first moment m, "
            f"which optimizer={rule.name} has not; choose optimizer=adam or adamw"
        )
    if rule.ridge:
        raise BadInput(
            "optimizer.decoupled=false: the penalty's gradient is not at right angles to W, as the norm's law has it; "
            "set optimizer.decoupled=true, or scale_invariance.every=null"
        )
    observer = ScaleInvariance(slices, wanted.every, sorted(set(wanted.lags)))
    watches = [Watch("scale_invariance", 1, observer.follow), Watch("scale_invariance", wanted.every, observer)]
    return [*watches, Watch("alignments", wanted.every, observer.alignments)] if observer.lags else watches
