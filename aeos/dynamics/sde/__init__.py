"""Stochastic differential equations of optimizers, on many paths at once."""

from aeos.dynamics.sde.adaptive import SdeAdam, SdeRMSprop
from aeos.dynamics.sde.base import Sde
from aeos.dynamics.sde.descent import SdeEmpiricalSign, SdeSGD, SdeSignSGD
from aeos.dynamics.sde.noise import Injected, Minibatch

__all__ = ["Injected", "Minibatch", "Sde", "SdeAdam", "SdeEmpiricalSign", "SdeRMSprop", "SdeSGD", "SdeSignSGD"]
