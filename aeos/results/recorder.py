"""What a running job writes through: rows, the checkpoints that vouch for them, and at the end its summary."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from aeos.results import atomic, checkpoint
from aeos.results.schema import TABLES
from aeos.results.table import Row, Table

log = logging.getLogger("aeos")


class Recorder:
    """The tables and the checkpoint of one run folder, which this process alone writes."""

    def __init__(self, path: Path, checkpoint_seconds: float) -> None:
        self.path, self.seconds = path, checkpoint_seconds
        self.tables: dict[str, Table] = {}
        self.next_save = time.monotonic() + checkpoint_seconds
        self.saved = checkpoint.load(path / "checkpoint.pt")
        self.began = time.monotonic() - (self.saved or {}).get("seconds", 0.0)
        self.kept: dict[str, int] = self.saved["tables"] if self.saved else {}
        for name in self.kept:
            self._table(name)

    def restore(self) -> dict[str, Any] | None:
        """What `save` was last given, by this process or one before it; None for a new run."""
        log.info("begins" if self.saved is None else "continues from its checkpoint")
        if self.saved is None:
            return None
        return self.saved["content"]

    def write(self, table: str, row: Row) -> None:
        self._table(table).append(row)

    def _table(self, name: str) -> Table:
        if name not in self.tables:
            self.tables[name] = Table(self.path / f"{name}.csv", TABLES[name], self.kept.get(name, 0))
        return self.tables[name]

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() >= self.next_save

    def save(self, content: dict[str, Any]) -> None:
        """Write a checkpoint that vouches for every row written so far."""
        positions = {name: table.sync() for name, table in self.tables.items()}
        saved = {"content": content, "tables": positions, "seconds": self._elapsed()}
        checkpoint.save(self.path / "checkpoint.pt", saved)
        self.next_save = time.monotonic() + self.seconds

    def finish(self, summary: dict[str, Any]) -> None:
        """The summary, then the mark that this run need never be done again."""
        log.info("finished: %s", summary)
        atomic.write_json(self.path / "summary.json", summary)
        atomic.write_json(self.path / "done.json", {"status": summary["status"], "seconds": round(self._elapsed(), 2)})

    def _elapsed(self) -> float:
        """How long this run has taken, the time before its last checkpoint included."""
        return time.monotonic() - self.began

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        for table in self.tables.values():
            table.close()
