"""From the name of a flow to the process: what `flows` may list for each optimizer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from omegaconf import DictConfig

from aeos.dynamics import CentralFlow, ContinuousAdam, Discrete, GradientFlow, Midpoint, Process, StableFlow

Build = Callable[[Discrete, DictConfig], Process]


def _adam(form: Any, optimizer: Discrete, config: DictConfig) -> Process:
    return ContinuousAdam(optimizer, form, config.substeps, name=f"adam_{form}")


def _central(name: str, optimizer: Discrete, config: DictConfig) -> Process:
    return CentralFlow(optimizer, name, config.substeps, config.tol, regularized=name == "central_flow")


def _midpoint(optimizer: Discrete, config: DictConfig) -> Process:
    return Midpoint(optimizer)


AVERAGING: dict[str, Build] = {
    "midpoint": _midpoint,
    "stable_flow": lambda optimizer, config: StableFlow(optimizer),
    "central_flow": partial(_central, "central_flow"),
    "ablated_flow": partial(_central, "ablated_flow"),
}
#: name of the optimizer → name in `flows` → from the optimizer and the settings to its model; those of the schema.
MODELS: dict[str, dict[str, Build]] = {
    "gd": {
        "midpoint": _midpoint,
        "gradient_flow": lambda optimizer, config: GradientFlow(optimizer),
        "central_flow": partial(_central, "central_flow"),
    },
    "rmsprop": AVERAGING,
    "scalar_rmsprop": AVERAGING,
    "adam": {f"adam_{form}": partial(_adam, form) for form in ("order1", "order2", "corrected")},
}
