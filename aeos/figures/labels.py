"""A legend from settings: each run is called by what sets it apart from the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from aeos.results.read import NOT_IDENTITY, Run, flatten

ABSENT = "absent"

Flat = dict[str, Any]


def labels(runs: Sequence[Run]) -> list[str]:
    """One label a run, for example "adam, lr=0.1"; runs that differ in their seed alone share theirs.

    A group whose choice differs is called by its name; its settings are named only where runs of one choice differ.
    """
    configs = [{"job": run.job, **_identity(run.config)} for run in runs]
    groups = _groups(configs)
    short = _short_names(configs)
    return [
        ", ".join(_parts(config, configs, groups, short)) or _plain(run)
        for run, config in zip(runs, configs, strict=True)
    ]


def numbers(names: Sequence[str]) -> list[float] | None:
    """The values when all names are `key=number` with one key, so that they have an order; else None."""
    found = [re.fullmatch(r"([^=,]+)=([-+.\deE]+)", name) for name in names]
    keys = {match[1] for match in found if match}
    return [float(match[2]) for match in found if match] if all(found) and len(keys) == 1 else None


def _identity(config: dict[str, Any]) -> Flat:
    return {key: value for key, value in flatten(config).items() if key not in NOT_IDENTITY | {"seed"}}


def _groups(configs: Sequence[Flat]) -> list[str]:
    """Groups with a choice, in the order of the settings: optimizer, where optimizer.name is a setting."""
    names = (key for config in configs for key in config if key.endswith(".name"))
    return list(dict.fromkeys(name.removesuffix(".name") for name in names))


def _short_names(configs: Sequence[Flat]) -> dict[str, str]:
    """optimizer.lr → lr, unless another setting ends in the same word."""
    keys = dict.fromkeys(key for config in configs for key in config)
    last = [key.rpartition(".")[2] for key in keys] + ["seed"]
    return {key: word if last.count(word) == 1 else key for key, word in zip(keys, last, strict=False)}


def _differs(key: str, configs: Sequence[Flat]) -> bool:
    return len({repr(config.get(key, ABSENT)) for config in configs}) > 1


def _parts(config: Flat, configs: Sequence[Flat], groups: Sequence[str], short: dict[str, str]) -> list[str]:
    parts: list[str] = []
    without: list[str] = []
    keys = dict.fromkeys(key for other in configs for key in other)
    for key in keys:
        group = key.rpartition(".")[0] or key
        if group not in groups:
            if _differs(key, configs):
                parts.append(f"{short[key]}={_text(config.get(key))}")
        elif key == f"{group}.name":
            if _differs(key, configs):
                choice = config.get(key)
                (parts if choice else without).append(str(choice) if choice else f"no {group}")
        elif key != group:
            alike = [other for other in configs if other.get(f"{group}.name") == config.get(f"{group}.name")]
            if _differs(key, alike):
                parts.append(f"{short[key]}={_text(config.get(key))}")
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
