"""Processes, observers and the loop that moves them."""

from aeos.dynamics.compare import Coordinates, Distances
from aeos.dynamics.discrete import Discrete
from aeos.dynamics.flows import ContinuousAdam, GradientFlow
from aeos.dynamics.observers import Moment, Watch, metrics
from aeos.dynamics.process import Process, State
from aeos.dynamics.scale_invariance import ScaleInvariance
from aeos.dynamics.sde import Sde, SdeAdam, SdeEmpiricalSign, SdeRMSprop, SdeSGD, SdeSignSGD
from aeos.dynamics.sharpness import Sharpness
from aeos.dynamics.simulate import Memory, Recorder, Simulation

__all__ = [
    "ContinuousAdam",
    "Coordinates",
    "Discrete",
    "Distances",
    "GradientFlow",
    "Memory",
    "Moment",
    "Process",
    "Recorder",
    "ScaleInvariance",
    "Sde",
    "SdeAdam",
    "SdeEmpiricalSign",
    "SdeRMSprop",
    "SdeSGD",
    "SdeSignSGD",
    "Sharpness",
    "Simulation",
    "State",
    "Watch",
    "metrics",
]
