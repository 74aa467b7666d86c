"""Which runs a figure asks for: those whose settings are what its overrides set."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from aeos.figures.registry import FigureConfig, each_run
from aeos.paths import conf_dir
from aeos.results.read import NOT_IDENTITY, Run, flatten

ABSENT = object()


def select(figure: FigureConfig, runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs that the figure asks for, in the order of its overrides, and the commands of those that are not here."""
    index = Index([run for run in runs if run.job == figure.job])
    found: dict[Path, Run] = {}
    missing = []
    for words, command in zip(figure.overrides, figure.commands, strict=True):
        groups = [narrowest(index.find(one), one) for one in each_run(words)]
        found |= {run.path: run for group in groups for run in group}
        missing += [command] * (not all(groups))
    return list(found.values()), missing


class Index:
    """Runs by their settings; other settings than those asked for may be anything. Each run is looked at once a set of
    keys, so that a figure of a thousand runs is not a thousand times a thousand comparisons.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = [(run, flatten(run.config)) for run in runs]
        self.by: dict[tuple[str, ...], dict[Any, list[Run]]] = {}

    def find(self, overrides: Sequence[str]) -> list[Run]:
        """The runs that have every setting which these overrides name."""
        wanted = expected(overrides)
        keys = tuple(wanted)
        if keys not in self.by:
            self.by[keys] = defaultdict(list)
            for run, settings in self.runs:
                self.by[keys][_chosen(settings, keys)].append(run)
        return self.by[keys].get(_chosen(wanted, keys), [])


def _chosen(settings: dict[str, Any], keys: Sequence[str]) -> Any:
    """The values of these settings, to compare and to look up; one that is not there equals no value."""
    return tuple(_frozen(settings.get(key, ABSENT)) for key in keys)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def narrowest(runs: Sequence[Run], words: Sequence[str]) -> list[Run]:
    """Those of the runs that were started with these words and no others, seed aside; all, where there are none."""
    if len(runs) < 2:
        return list(runs)
    exact = [run for run in runs if _words(run.env.get("command", [])[2:]) == _words(words)]
    return exact or list(runs)


def _words(words: Sequence[str]) -> set[tuple[str, str]]:
    """Key and value of each, as settings: a multirun writes 0.001 where its command said 1e-3."""
    beside = NOT_IDENTITY | {"seed", "threads", "device"}
    parted = (word.lstrip("+").partition("=") for word in words)
    return {(key, repr(_value(text))) for key, _, text in parted if key not in beside}


def expected(overrides: Sequence[str]) -> dict[str, Any]:
    """["optimizer=adamw", "steps=9"] → {"optimizer.name": "adam", "optimizer.weight_decay": 0.01, "steps": 9}"""
    choices: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for word in overrides:
        choice, settings = _meaning(word)
        (choices if choice else values).update(settings)
    return choices | values


@cache
def _meaning(word: str) -> tuple[bool, dict[str, Any]]:
    """Whether the word chooses a file of a group, and what it sets."""
    key, _, text = word.lstrip("+").partition("=")
    file = conf_dir() / key / f"{text}.yaml"
    if file.is_file():
        return True, _choice(key, file.read_text(encoding="utf-8"))
    return False, {key: _value(text)}


def _choice(group: str, text: str) -> dict[str, Any]:
    """What a file of a group sets: the name of the schema it stands on, and its own settings."""
    content = yaml.safe_load(text)
    place = "" if text.startswith("# @package _global_") else f"{group}."
    settings = flatten({key: value for key, value in content.items() if key != "defaults"}, place)
    schemas = re.findall(rf"/schema/{group}/(\w+)@", " ".join(map(str, content.get("defaults", []))))
    return settings | {f"{group}.name": name for name in schemas}


@cache
def _value(text: str) -> Any:
    """As Hydra reads it: unlike in YAML, 1e-3 is a number."""
    try:
        return float(text)
    except ValueError:
        return yaml.safe_load(text)
