"""Stochastic differential equations of optimizers, on many paths at once."""

from aeos.dynamics.sde.adaptive import Adam, RMSprop
from aeos.dynamics.sde.base import Sde
from aeos.dynamics.sde.descent import SGD, EmpiricalSign, SignSGD
from aeos.dynamics.sde.noise import Injected, Minibatch

__all__ = ["SGD", "Adam", "EmpiricalSign", "Injected", "Minibatch", "RMSprop", "Sde", "SignSGD"]
