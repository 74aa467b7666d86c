"""What a running job writes through: rows, the checkpoints that vouch for them, and at the end its summary."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from aeos.errors import BadInput
from aeos.results import atomic, checkpoint
from aeos.results.checksum import checksum
from aeos.results.schema import TABLES
from aeos.results.sinks import Sinks
from aeos.results.table import Mark, Row, Table

log = logging.getLogger("aeos")


def owner(path: Path) -> str:
    """The run whose checkpoints these are: its job and the hash of its settings."""
    return f"{path.parent.name}/{path.name.rpartition('-')[2]}"


class Recorder:
    """The tables and the checkpoint of one run folder, or of a part of it, which this process alone writes."""

    def __init__(self, path: Path, checkpoint_seconds: float, place: Path | None = None) -> None:
        """`place`: where they lie, when not in the run folder itself."""
        self.path, self.seconds = path, checkpoint_seconds
        self.place = place or path
        self.tables: dict[str, Table] = {}
        self.sinks = Sinks()
        self.next_save = time.monotonic() + checkpoint_seconds
        self.run = owner(path)
        self.saved = checkpoint.load(self.place / "checkpoint.pt", self.run)
        self.env = checksum(path / "env.json")
        if self.saved is not None and self.saved.get("env") != self.env:  # it says on how many threads sums are taken
            raise BadInput(f"{path / 'env.json'} was changed since this run began: {checkpoint.AGAIN}")
        try:
            saved: dict[str, Any] = {"seconds": 0.0, "tables": {}, "content": {}} if self.saved is None else self.saved
            self.began = time.monotonic() - saved["seconds"]
            self.kept = {name: Mark(*mark) for name, mark in saved["tables"].items()}
            self.content: dict[str, Any] = {**saved["content"]}
            for name in self.kept:
                self._table(name)
        except (KeyError, TypeError, AttributeError) as error:
            file = self.place / "checkpoint.pt"
            raise BadInput(f"{file} is of another version of aeos: {checkpoint.AGAIN}") from error

    def restore(self) -> dict[str, Any] | None:
        """What `save` was last given, by this process or one before it; None for a new run."""
        log.info("begins" if self.saved is None else "continues from its checkpoint")
        return None if self.saved is None else self.content

    def write(self, table: str, row: Row) -> None:
        self._table(table).append(row)
        self.sinks.write(table, row)

    def _table(self, name: str) -> Table:
        if name not in self.tables:
            self.tables[name] = Table(self.place / f"{name}.csv", TABLES[name], self.kept.get(name, Mark()))
        return self.tables[name]

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() >= self.next_save

    def save(self, content: dict[str, Any]) -> None:
        """Write a checkpoint that vouches for every row written so far."""
        marks = {name: list(table.sync()) for name, table in self.tables.items()}
        saved = {"content": content, "tables": marks, "seconds": self._elapsed(), "env": self.env}
        checkpoint.save(self.place / "checkpoint.pt", saved, self.run)
        self.next_save = time.monotonic() + self.seconds

    def finish(self, summary: dict[str, Any]) -> None:
        """The summary, then the mark that this run need never be done again, with the checksums of what it left."""
        log.info("finished: %s", summary)
        with atomic.writing(self.path / "summary.json"):
            atomic.write_json(self.path / "summary.json", summary)
        left = {name: checksum(self.path / name) for name in ("config.yaml", "env.json", "summary.json")}
        left |= {f"{name}.csv": table.crc for name, table in self.tables.items()}
        done = {"status": summary["status"], "seconds": round(self._elapsed(), 2), "files": left}
        with atomic.writing(self.path / "done.json"):
            atomic.write_json(self.path / "done.json", done)

    def _elapsed(self) -> float:
        """How long this run has taken, the time before its last checkpoint included."""
        return time.monotonic() - self.began

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        for table in self.tables.values():
            table.close()
