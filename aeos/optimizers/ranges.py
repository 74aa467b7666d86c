"""What a rule's settings may be, for those who come without a config: aeos.schema's ranges, looked up by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from aeos.errors import BadInput
from aeos.schema.optimizer import OPTIMIZERS


def are_stages(value: Any) -> bool:
    return value is None or (len(value) > 0 and all(0 <= beta1 < 1 and 0 <= beta2 < 1 for beta1, beta2 in value))


RANGES = {
    field.name: (field.metadata["holds"], field.metadata["says"])
    for node in OPTIMIZERS
    for field in dataclasses.fields(node)
    if "holds" in field.metadata
}
# A config has its types checked by its schema, and refuses a run that cannot move; torch's classes allow lr = 0.
RANGES["lr"] = RANGES["weight_decay"]
RANGES["k"] = (lambda x: isinstance(x, int) and x >= 1, "an integer >= 1")
RANGES["freeze"] = (lambda x: x is None or (isinstance(x, int) and 1 <= x < 2**31), "an integer >= 1, or None")
RANGES["stages"] = (are_stages, "a list of (beta1, beta2) pairs, each in [0, 1)")


def check(settings: Mapping[str, Any]) -> None:
    """Raises BadInput, one line, for the first setting that is out of range or of the wrong type."""
    for name, value in settings.items():
        if name not in RANGES:
            continue
        holds, says = RANGES[name]
        try:
            fine = holds(value)
        except (TypeError, ValueError, RuntimeError):  # not comparable with a number: text, None, a vector
            fine = False
        if not fine:
            raise BadInput(f"{name}={value}: must be {says}")
