"""A legend from settings: each run is called by what sets it apart from the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from aeos.errors import BadInput
from aeos.results.read import Run, identity

ABSENT = "absent"
#: What models are called in titles; any other goes by its name.
NETWORKS = {"mlp": "MLP", "cnn": "CNN", "vit": "ViT", "resnet": "ResNet", "lstm": "LSTM", "mamba": "Mamba"}

Flat = dict[str, Any]


def labels(runs: Sequence[Run]) -> list[str]:
    """One label a run, for example "adam, lr=0.1"; runs that differ in their seed alone share theirs.

    A group whose choice differs is called by its name; its settings are named only where runs of one choice differ.
    """
    configs = [{"job": run.job, **_identity(run.config)} for run in runs]
    groups, short = _groups(configs), _short_names(configs)
    differing = _differing(configs, groups)
    return [
        ", ".join(_parts(config, groups, short, differing)) or _plain(run)
        for run, config in zip(runs, configs, strict=True)
    ]


def one(runs: Sequence[Run]) -> Run:
    """The only run, of a figure that has no room for more. Raises BadInput for several."""
    if len(runs) > 1:
        raise BadInput(f"{len(runs)} runs: this figure shows one at a time; give one")
    return runs[0]


def network(run: Run) -> str:
    """MLP, ViT: what the run trains; its problem's name where that is no network."""
    name = str((run.config.get("model") or run.config["problem"])["name"])
    return NETWORKS.get(name, name)


def numbers(names: Sequence[str]) -> list[float] | None:
    """The values when all names are `key=number` with one key, so that they have an order; else None."""
    found = [re.fullmatch(r"([^=,]+)=([-+.\deE]+)", name) for name in names]
    keys = {match[1] for match in found if match}
    return [float(match[2]) for match in found if match] if all(found) and len(keys) == 1 else None


def _identity(config: dict[str, Any]) -> Flat:
    return {key: value for key, value in identity(config).items() if key != "seed"}


def _groups(configs: Sequence[Flat]) -> set[str]:
    """Groups with a choice: optimizer, where optimizer.name is a setting."""
    return {key.removesuffix(".name") for config in configs for key in config if key.endswith(".name")}


def _short_names(configs: Sequence[Flat]) -> dict[str, str]:
    """optimizer.lr → lr, unless another setting ends in the same word."""
    keys = dict.fromkeys(key for config in configs for key in config)
    last = [key.rpartition(".")[2] for key in keys] + ["seed"]
    return {key: word if last.count(word) == 1 else key for key, word in zip(keys, last, strict=False)}


def _differing(configs: Sequence[Flat], groups: set[str]) -> set[tuple[str, Any]]:
    """(key, choice) where the key differs among the runs of that choice; the choice is None outside of groups."""
    values: dict[tuple[str, Any], set[str]] = {}
    for key in dict.fromkeys(key for config in configs for key in config):
        for config in configs:
            values.setdefault((key, _choice(key, config, groups)), set()).add(repr(config.get(key, ABSENT)))
    return {place for place, several in values.items() if len(several) > 1}


def _choice(key: str, config: Flat, groups: set[str]) -> Any:
    """What this run chose of the group that the key is a setting of: adam, for optimizer.lr."""
    group, _, name = key.rpartition(".")
    return config.get(f"{group}.name") if group in groups and name != "name" else None


def _parts(config: Flat, groups: set[str], short: dict[str, str], differing: set[tuple[str, Any]]) -> list[str]:
    parts: list[str] = []
    without: list[str] = []
    for key in short:
        group = key.removesuffix(".name")
        if key in groups or (key, _choice(key, config, groups)) not in differing:
            continue
        if group not in groups:
            parts.append(f"{short[key]}={_text(config.get(key))}")
        elif config.get(key):
            parts.append(str(config[key]))
        else:
            without.append(f"no {group}")
    return parts or without


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(value).replace("$", r"\$")  # Matplotlib would read mathematics


def _plain(run: Run) -> str:
    """What a run is called when nothing sets it apart."""
    return str((run.config.get("optimizer") or {}).get("name") or run.job)
