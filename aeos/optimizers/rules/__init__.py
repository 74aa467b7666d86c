"""The update rules, one class each; `aeos.optimizers.build.RULES` has them by name."""

from aeos.optimizers.rules.adam import Adam, AMSGrad, NAdam, Padam
from aeos.optimizers.rules.adaptive import Adagrad, Adaptive, RMSprop, ScalarRMSprop
from aeos.optimizers.rules.base import Hyper, Rule, State
from aeos.optimizers.rules.descent import EMA, GD, HeavyBall, Nesterov, SignSGD
from aeos.optimizers.rules.kadam import KAdam

__all__ = [
    "EMA",
    "GD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "Adaptive",
    "HeavyBall",
    "Hyper",
    "KAdam",
    "NAdam",
    "Nesterov",
    "Padam",
    "RMSprop",
    "Rule",
    "ScalarRMSprop",
    "SignSGD",
    "State",
]
