"""An append-only CSV with fixed columns whose end can be put back to where a checkpoint saw it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from aeos.errors import BadInput
from aeos.results.atomic import writing
from aeos.results.checksum import checksum
from aeos.results.column import Column

Row = Mapping[str, object]


class Mark(NamedTuple):
    """The part of a table that a checkpoint vouches for: its bytes, and their CRC-32."""

    size: int = 0
    crc: int = 0


class Table:
    """One CSV file. Each row is one write to the operating system, so a kill loses at most the row being written."""

    def __init__(self, path: Path, columns: Sequence[Column], keep: Mark = Mark()) -> None:  # noqa: B008
        """What comes after `keep` is dropped; nothing kept starts the table afresh.

        Raises BadInput when what is to be kept is not there as it was written, or in other columns, or when the file
        cannot be written.
        """
        self.path, self.columns = path, columns
        self.names = [column.name for column in columns]
        header = ",".join(self.names)
        if keep.size:
            self._check(keep, header)
        with writing(path):
            self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.ftruncate(self.file, keep.size)
        self.position, self.crc = keep
        if not keep.size:
            self._put(header)

    def _check(self, keep: Mark, header: str) -> None:
        again = "add force=true to start this run over"
        if not self.path.is_file() or self.path.stat().st_size < keep.size:
            raise BadInput(f"{self.path} lost rows since its checkpoint was written: {again}")
        if checksum(self.path, keep.size) != keep.crc:
            raise BadInput(f"{self.path} was changed since its checkpoint was written: {again}")
        with self.path.open("rb") as lines:
            if lines.readline() != f"{header}\n".encode():
                raise BadInput(f"{self.path} has the columns of another version of aeos: {again}")

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
        with writing(self.path):
            while data:
                written = os.write(self.file, data)
                self.position += written
                self.crc = zlib.crc32(data[:written], self.crc)
                data = data[written:]

    def sync(self) -> Mark:
        """Put every row on disk; returns what a checkpoint may vouch for."""
        with writing(self.path):
            os.fsync(self.file)
        return Mark(self.position, self.crc)

    def close(self) -> None:
        os.close(self.file)

    def __enter__(self) -> Table:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
