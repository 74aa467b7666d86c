"""Rules and the schema say the same: names, defaults, ranges; and settings of any kind become rules."""

from __future__ import annotations

import dataclasses
import inspect
import math
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from aeos.errors import BadInput
from aeos.optimizers import build_rule, rules
from aeos.optimizers.build import RULES, SCHEDULES
from aeos.optimizers.ranges import RANGES
from aeos.optimizers.rules import Adam, KAdam, Rule
from aeos.schema.optimizer import OPTIMIZERS
from aeos.schema.optimizer import SCHEDULES as SCHEMA_SCHEDULES


def defaults(kind: Any) -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("node", OPTIMIZERS, ids=lambda node: node.name)
def test_rule_and_schema_have_the_same_fields_and_defaults(node: Any) -> None:
    expected = defaults(node)
    assert RULES[node.name].name == expected.pop("name")
    assert defaults(RULES[node.name]) == expected


@pytest.mark.parametrize("node", SCHEMA_SCHEDULES, ids=lambda node: node.name)
def test_schedule_and_schema_have_the_same_fields_and_defaults(node: Any) -> None:
    expected = defaults(node)
    ours = defaults(SCHEDULES[expected.pop("name")])
    ours.pop("steps", None)
    assert ours == expected


def test_every_rule_and_schedule_has_a_schema() -> None:
    exported = {kind.__name__: kind for kind in vars(rules).values() if inspect.isclass(kind)}
    assert {*RULES.values()} == {kind for kind in exported.values() if issubclass(kind, Rule) and hasattr(kind, "name")}
    assert list(SCHEDULES) == [node.name for node in SCHEMA_SCHEDULES]


@pytest.mark.parametrize("node", OPTIMIZERS, ids=lambda node: node.name)
def test_rule_and_schema_have_the_same_ranges(node: Any) -> None:
    """But lr = 0, which torch allows and a job has no use for."""
    checked = [field for field in dataclasses.fields(node) if "holds" in field.metadata]
    assert {field.name for field in checked} >= {"lr", "weight_decay"}
    for field in checked:
        probes = ["uniform", "none"] if field.name == "strategy" else [-1, 1, 2, 0.25, 0.5, 0.75, math.inf, math.nan]
        probes += [] if field.name in ("lr", "strategy") else [0]
        for probe in probes if field.name != "k" else [-1, 0, 1, 5]:
            assert RANGES[field.name][0](probe) == field.metadata["holds"](probe), (field.name, probe)


@pytest.mark.parametrize("node", OPTIMIZERS, ids=lambda node: node.name)
def test_config_becomes_its_rule(node: Any) -> None:
    config = OmegaConf.structured(node(lr=0.5, weight_decay=0.25, decoupled=False))
    assert build_rule(config) == RULES[node.name](lr=0.5, weight_decay=0.25, decoupled=False)


def test_absent_fields_take_defaults() -> None:
    assert build_rule(SimpleNamespace(name="adam", beta2=0.99)) == Adam(beta2=0.99)
    assert build_rule(OmegaConf.create({"name": "adam", "beta2": 0.99})) == Adam(beta2=0.99)


def test_stages_become_plain_numbers() -> None:
    """A rule's settings go into checkpoints, which hold no OmegaConf lists."""
    rule = build_rule(OmegaConf.create({"name": "kadam", "stages": [[0.9, 0.999], [0, 0.5]]}))
    assert isinstance(rule, KAdam)
    assert type(rule.stages) is list
    assert rule.rates == [(0.9, 0.999), (0, 0.5)]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "adm"}, "optimizer.name=adm: must be one of gd, "),
        ({"name": "adam", "beta1": 1.0}, "beta1=1.0: must be in [0, 1)"),
        ({"name": "gd", "lr": "fast"}, "lr=fast: must be a number >= 0, at most 1e+12"),
        ({"name": "kadam", "k": 0}, "k=0: must be an integer >= 1"),
        ({"name": "kadam", "stages": [0.9, 0.999]}, "stages=[0.9, 0.999]: must be a list of (beta1, beta2) pairs"),
        ({"name": "kadam", "stages": []}, "stages=[]: must be a list"),
        ({"name": "padam", "power": 0.6}, "power=0.6: must be in (0, 0.5]"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as error:
        build_rule(SimpleNamespace(**settings))
    assert str(error.value).startswith(says)
    assert "\n" not in str(error.value)
