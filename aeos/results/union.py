"""Tables of one name from several files, put together by key: a row that is there twice must be the same row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from aeos.errors import BadInput
from aeos.results.schema import TABLES

Cells = list[str]  # of one row, as written, in the order of the table's columns


def union(table: str, files: Iterable[Path]) -> dict[tuple[str, ...], Cells]:
    """Every row of these files once, by key, where it is met first; files that are not there have none.

    Raises BadInput when two rows of one key differ in any but clock columns, or a file is not a table of that name.
    """
    columns = TABLES[table]
    keys = [number for number, column in enumerate(columns) if column.key]
    found: dict[tuple[str, ...], Cells] = {}
    origin: dict[tuple[str, ...], Path] = {}
    for file in files:
        for cells in rows(table, file):
            key = tuple(cells[number] for number in keys)
            if key not in found:
                found[key], origin[key] = cells, file
                continue
            for column, known, other in zip(columns, found[key], cells, strict=True):
                if known != other and not column.clock:
                    which = " ".join(f"{columns[number].name}={cells[number]}" for number in keys)
                    raise BadInput(
                        f"{file}: at {which} it has {column.name}={other or '(empty)'}, where {origin[key]} has "
                        f"{known or '(empty)'}: two versions of one run; remove the wrong one, or start it over"
                    )
    return found


def rows(table: str, file: Path) -> Iterator[Cells]:
    """The whole lines of a table: a last one that a kill cut short is left out.

    Raises BadInput when it has other columns than the table of that name, or what does not belong into them.
    """
    try:
        content = file.read_bytes() if file.is_file() else b""
        lines = csv.reader(content[: content.rfind(b"\n") + 1].decode().splitlines(), strict=True)
        header = next(lines, None)
    except (OSError, ValueError, csv.Error) as error:
        raise BadInput(f"{file} cannot be read ({error}): leave it out") from error
    columns = TABLES[table]
    if header is None:
        return
    if header != [column.name for column in columns]:
        raise BadInput(f"{file} has the columns of another version of aeos: leave it out, or do its run again")
    try:
        for cells in lines:
            for column, cell in zip(columns, cells, strict=True):
                if cell or column.key:
                    column.kind(cell)
            yield cells
    except (ValueError, OverflowError, csv.Error) as error:
        raise BadInput(f"{file} is damaged in line {lines.line_num} ({error}): leave it out") from error
