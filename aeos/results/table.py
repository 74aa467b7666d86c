"""An append-only CSV with fixed columns whose end can be put back to where a checkpoint saw it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from aeos.errors import BadInput
from aeos.results.column import Column

Row = Mapping[str, object]


class Table:
    """One CSV file. Each row is one write to the operating system, so a kill loses at most the row being written."""

    def __init__(self, path: Path, columns: Sequence[Column], keep: int = 0) -> None:
        """`keep`: bytes that a checkpoint vouches for; what comes after them is dropped. 0 starts the table afresh.

        Raises BadInput when the file is shorter than that: it was changed by hand, and rows would be missing.
        """
        self.path, self.columns = path, columns
        self.names = [column.name for column in columns]
        size = path.stat().st_size if path.exists() else 0
        if size < keep:
            raise BadInput(f"{path} lost rows since its checkpoint was written: add force=true to start this run over")
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self.file, keep)
        self.position = keep
        if not keep:
            self._put(",".join(self.names))

    def append(self, row: Row) -> None:
        """Write one row; a column that `row` lacks stays empty, one it has too many is a KeyError."""
        unknown = row.keys() - set(self.names)
        if unknown:
            raise KeyError(f"{self.path.name} has no column {', '.join(sorted(unknown))}")
        self._put(",".join(self._cell(column, row.get(column.name)) for column in self.columns))

    @staticmethod
    def _cell(column: Column, value: object) -> str:
        """Shortest text that reads back to the same number."""
        return "" if value is None else str(column.kind(value))

    def _put(self, line: str) -> None:
        data = (line + "\n").encode()
        while data:
            written = os.write(self.file, data)
            self.position += written
            data = data[written:]

    def sync(self) -> int:
        """Put every row on disk; returns the position a checkpoint may vouch for."""
        os.fsync(self.file)
        return self.position

    def close(self) -> None:
        os.close(self.file)

    def __enter__(self) -> Table:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
