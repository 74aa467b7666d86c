"""Processes, observers and the loop that moves them."""

from aeos.dynamics.compare import Coordinates, Distances
from aeos.dynamics.discrete import Discrete
from aeos.dynamics.flows import (
    CentralFlow,
    ContinuousAdam,
    GradientFlow,
    Midpoint,
    Predictions,
    Rest,
    Spectrum,
    StableFlow,
)
from aeos.dynamics.observers import Moment, Watch, metrics
from aeos.dynamics.process import Process, State
from aeos.dynamics.scale_invariance import ScaleInvariance
from aeos.dynamics.sde import Sde, SdeAdam, SdeEmpiricalSign, SdeRMSprop, SdeSGD, SdeSignSGD
from aeos.dynamics.self_stabilization import SelfStabilization
from aeos.dynamics.sharpness import Sharpness
from aeos.dynamics.simulate import Memory, Recorder, Simulation

__all__ = [
    "CentralFlow",
    "ContinuousAdam",
    "Coordinates",
    "Discrete",
    "Distances",
    "GradientFlow",
    "Memory",
    "Midpoint",
    "Moment",
    "Predictions",
    "Process",
    "Recorder",
    "Rest",
    "ScaleInvariance",
    "Sde",
    "SdeAdam",
    "SdeEmpiricalSign",
    "SdeRMSprop",
    "SdeSGD",
    "SdeSignSGD",
    "SelfStabilization",
    "Sharpness",
    "Simulation",
    "Spectrum",
    "StableFlow",
    "State",
    "Watch",
    "metrics",
]
