"""One column of a table: its name, its type, what it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """`clock` columns depend on machine and moment: two runs of one config may differ there and nowhere else."""

    name: str
    kind: type = float
    meaning: str = ""
    clock: bool = False
