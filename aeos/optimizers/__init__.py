"""Update rules, their schedules, and the torch.optim classes around them."""

from aeos.optimizers.build import build_rule, build_schedule
from aeos.optimizers.classes import EMAMomentum, KAdam, Padam, RMSpropW, ScalarRMSprop, SignSGD
from aeos.optimizers.torch_optim import FromRule

__all__ = [
    "EMAMomentum",
    "FromRule",
    "KAdam",
    "Padam",
    "RMSpropW",
    "ScalarRMSprop",
    "SignSGD",
    "build_rule",
    "build_schedule",
]
