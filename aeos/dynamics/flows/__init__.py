"""Optimizers in continuous time: what they do when steps have no length, or when their oscillation is averaged."""

from aeos.dynamics.flows.adam import ContinuousAdam
from aeos.dynamics.flows.central import CentralFlow
from aeos.dynamics.flows.midpoint import Midpoint
from aeos.dynamics.flows.observers import Predictions, Spectrum
from aeos.dynamics.flows.rest import Rest
from aeos.dynamics.flows.stable import GradientFlow, StableFlow
from aeos.dynamics.flows.stationary import stationary_preconditioner

__all__ = [
    "CentralFlow",
    "ContinuousAdam",
    "GradientFlow",
    "Midpoint",
    "Predictions",
    "Rest",
    "Spectrum",
    "StableFlow",
    "stationary_preconditioner",
]
