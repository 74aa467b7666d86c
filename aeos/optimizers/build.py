"""From settings to rules and schedules, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from aeos.errors import BadInput
from aeos.optimizers import rules, schedules
from aeos.optimizers.ranges import check
from aeos.optimizers.rules import Rule
from aeos.schema import optimizer as schema

Schedule = Callable[[int], float]

# A rule and its schema have one name, and so have a schedule and its own.
RULES: dict[str, type[Rule]] = {node.name: getattr(rules, node.__name__) for node in schema.OPTIMIZERS}
SCHEDULES: dict[str, type[schedules.Constant | schedules.WarmupCosine | schedules.Power]] = {
    node.name: getattr(schedules, node.__name__) for node in schema.SCHEDULES
}


def build_rule(config: Any) -> Rule:
    """The rule that `config.name` says, from any object with its fields; absent fields take the rule's defaults.

    Raises BadInput for an unknown name and for values out of range.
    """
    kind = _choice(RULES, config.name, "optimizer")
    settings = _present(config, kind)
    check(settings)
    if settings.get("stages") is not None:
        settings["stages"] = [tuple(pair) for pair in settings["stages"]]
    return kind(**settings)


def build_schedule(config: Any, steps: int) -> Schedule:
    """schedule(k) → the factor of lr at step k = 0, …, steps − 1, from any object with `name` and that one's fields.

    Raises BadInput for an unknown name, and for a warm-up that does not end within `steps`.
    """
    kind = _choice(SCHEDULES, config.name, "schedule")
    settings = _present(config, kind)
    if kind is schedules.WarmupCosine:
        settings["steps"] = steps
        if settings.get("warmup", 0) >= steps:
            raise BadInput(f"schedule.warmup={settings['warmup']}: must be below steps={steps}")
    return kind(**settings)


def _choice(table: dict[str, Any], name: str, group: str) -> Any:
    if name not in table:
        raise BadInput(f"{group}.name={name}: must be one of {', '.join(table)}")
    return table[name]


def _present(config: Any, kind: Any) -> dict[str, Any]:
    names = [field.name for field in fields(kind)]
    return {name: getattr(config, name) for name in names if hasattr(config, name)}
