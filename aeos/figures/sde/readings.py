"""What figures of `aeos sde-compare` call its runs, and which processes are in them."""

from __future__ import annotations

from aeos.errors import BadInput
from aeos.results.read import Run

LOSS = "train_loss"
NAMES = {"gd": "SGD", "signsgd": "SignSGD", "rmsprop": "RMSprop", "adam": "Adam"}


def called(run: Run) -> str:
    """Adam, AdamW, Adam + L2: how the run's optimizer is called, its weight decay considered."""
    optimizer = run.config["optimizer"]
    name = NAMES[optimizer["name"]]
    if not optimizer["weight_decay"]:
        return name
    return f"{name}W" if optimizer.get("decoupled", True) else f"{name} + L2"


def processes(run: Run) -> list[str]:
    """The optimizer, then its SDEs. Raises BadInput when the run has no row yet."""
    names = list(run.table("moments")["process"].unique())
    if not names:
        raise BadInput(f"{run.name}: no rows yet; wait for the first measurement")
    return names
