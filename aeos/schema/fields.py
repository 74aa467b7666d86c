"""Settings with a range, `lr: float = positive(1e-3)`: it lives beside the default and is checked in one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from aeos.errors import BadInput, suggest

MOST = 1e12  # so that a product of three settings, or the square of one times another, is a number in single precision


def setting(default: Any, holds: Callable[[Any], bool], says: str) -> Any:
    """A dataclass field whose value (each one, for a list) must satisfy `holds`; `says` completes "must be …"."""
    metadata = {"holds": holds, "says": says}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def positive(default: Any) -> Any:
    return setting(default, lambda x: 0 < x <= MOST, f"a number > 0, at most {MOST:g}")


def nonnegative(default: Any) -> Any:
    return setting(default, lambda x: 0 <= x <= MOST, f"a number >= 0, at most {MOST:g}")


def rate(default: Any) -> Any:
    """An averaging rate such as β₁."""
    return setting(default, lambda x: 0 <= x < 1, "in [0, 1)")


def fraction(default: Any) -> Any:
    return setting(default, lambda x: 0 <= x <= 1, "in [0, 1]")


def at_least(low: int, default: Any, otherwise: str = "") -> Any:
    """A whole number, small enough for every generator and tensor; `otherwise` says what null means."""
    return setting(default, lambda x: low <= x < 2**31, f"a whole number >= {low} and < 2^31{otherwise}")


def count(default: Any) -> Any:
    """A whole number of things, at least one; None where the default is None means "as many as there are"."""
    return at_least(1, default)


def finite(default: Any) -> Any:
    return setting(default, lambda x: abs(x) <= MOST, f"a number in [{-MOST:g}, {MOST:g}]")


def one_of(choices: Sequence[str], default: Any) -> Any:
    return setting(default, lambda x: x in choices, "one of " + ", ".join(choices))


def unfit(key: str, names: Sequence[str], known: Sequence[str], owner: str) -> Iterator[str]:
    """What is wrong with a list that is to name some of what `owner` has, each once."""
    if len(set(names)) < len(names):
        yield f"{key}={names}: must name each once"
    for name in names:
        if name not in known:
            yield f"{key}={names}: {owner} has no {name}; it has {', '.join(known)}"


def validate(config: DictConfig) -> None:
    """Check every range, every relation between settings, and that no unknown key was added.

    Raises BadInput naming the full key. Imports no torch.
    """
    for complaint in complaints(config, ""):
        raise BadInput(complaint)


def _satisfied(holds: Callable[[Any], bool], value: Any) -> bool:
    try:
        return holds(value)
    except (TypeError, ValueError, OverflowError):  # another kind of thing, such as a list in a list
        return False


def complaints(node: DictConfig, path: str) -> Iterator[str]:
    kind = OmegaConf.get_type(node)
    if not dataclasses.is_dataclass(kind):
        yield f"{path or 'the config'} has no schema: choose one of its group's names (see `aeos list`)"
        return
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in map(str, node):
        if key not in fields:
            yield f"{path}{key}: no such setting{suggest(key, fields)}"
    for field in fields.values():
        yield from _about(node, path, field)
    relations = getattr(kind, "relations", None)
    if relations:
        yield from (f"{path}{text}" for text in relations(node))


def _about(node: DictConfig, path: str, field: dataclasses.Field[Any]) -> Iterator[str]:
    """What is wrong with one setting. OmegaConf has checked its type, but not that of what it refers to."""
    name = f"{path}{field.name}"
    if OmegaConf.is_missing(node, field.name):
        yield f"{name} needs a value: add {name}=…"
        return
    value, group = node[field.name], dataclasses.is_dataclass(field.default_factory)
    if path and field.name == "name" and value != field.default:
        yield f"{name}={value}: cannot be set; choose with {path.removesuffix('.')}={value}"
    if OmegaConf.is_interpolation(node, field.name) and (group or isinstance(value, DictConfig)):
        yield f"{name}: only a value, or a list of values, can be taken from elsewhere in the config"
    elif isinstance(value, DictConfig):
        yield from complaints(value, f"{name}.")
    elif value is not None and str(field.type).startswith("list") and not isinstance(value, ListConfig):
        yield f"{name}={value}: must be a list, such as [{value}]"
    elif value is not None and "holds" in field.metadata:
        values = list(value) if isinstance(value, ListConfig) else [value]
        if not all(_satisfied(field.metadata["holds"], one) for one in values):
            yield f"{name}={value}: must be {field.metadata['says']}"
