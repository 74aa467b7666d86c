"""Optimizers in continuous time: what they do when their steps have no length, or no oscillation."""

from aeos.dynamics.flows.adam import ContinuousAdam
from aeos.dynamics.flows.gradient import GradientFlow

__all__ = ["ContinuousAdam", "GradientFlow"]
