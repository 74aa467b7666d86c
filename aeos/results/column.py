"""One column of a table: its name, its type, what it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """`clock` columns depend on machine and moment: two runs of one config may differ there and nowhere else. `key`
    columns together say which measurement a row is: no two rows of a table agree in all of them.
    """

    name: str
    kind: type = float
    meaning: str = ""
    clock: bool = False
    key: bool = False


def key(name: str, kind: type, meaning: str) -> Column:
    """A column that says which measurement a row is."""
    return Column(name, kind, meaning, key=True)
