"""Copies of a run's rows for TensorBoard and W&B to draw while it runs; the tables themselves are always the CSVs."""

from __future__ import annotations

import csv
import importlib
import logging
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aeos.errors import BadInput, told
from aeos.results.schema import TABLES
from aeos.results.table import Row

log = logging.getLogger("aeos")


class Sink(Protocol):
    """Where rows go besides their CSV. It begins empty, and is given the rows from before a restart once more."""

    def write(self, table: str, row: Row) -> None: ...

    def close(self) -> None: ...


class Curves:
    """Which points of which curves a row is: `table/column`, then the process where it is not the table's first, then
    what else tells rows of one step apart. A table without steps is drawn against the number of its row.
    """

    def __init__(self) -> None:
        self.first: dict[str, object] = {}
        self.count: Counter[str] = Counter()

    def of(self, table: str, row: Row) -> tuple[int, dict[str, float]]:
        """(step, {curve: value}); empty cells and words are on no curve."""
        known = {column.name: column for column in TABLES[table]}
        given = {name: column.kind(row[name]) for name, column in known.items() if row.get(name) is not None}
        process, step = given.pop("process", None), given.pop("step", None)
        parts = [str(process)] if process != self.first.setdefault(table, process) else []
        for name in [name for name in given if known[name].key]:
            if isinstance(given[name], str):
                parts.append(given.pop(name))
            elif step is not None:
                parts.append(f"{name}={given.pop(name)}")
        end = "".join(f"/{part}" for part in parts)
        self.count[table + end] += 1
        at = self.count[table + end] - 1 if step is None else step
        return at, {f"{table}/{name}{end}": value for name, value in given.items() if not isinstance(value, str)}


@dataclass(frozen=True)
class About:
    """What a sink may say of its run: `id` differs between runs, and between the parts of one."""

    job: str
    name: str
    id: str
    config: Mapping[str, Any]


class TensorBoard:
    """One event a row, in `tensorboard/` where the tables are."""

    def __init__(self, place: Path, about: About) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.event, self.summary, self.curves = Event, Summary, Curves()
        (place / "tensorboard").mkdir(exist_ok=True)
        for old in (place / "tensorboard").iterdir():
            os.truncate(old, 0)  # a TensorBoard under way would not get over a file that is gone
        file = place / "tensorboard" / f"events.out.tfevents.{time.time_ns()}"
        self.records = RecordWriter(open(file, "wb"))  # noqa: SIM115 (closed below)
        self._put(file_version="brain.Event:2")
        self._put(session_log=SessionLog(status=SessionLog.START))  # at step 0: whoever read on forgets it all

    def write(self, table: str, row: Row) -> None:
        step, points = self.curves.of(table, row)
        values = [self.summary.Value(tag=tag, simple_value=value) for tag, value in points.items()]
        self._put(step=step, summary=self.summary(value=values))

    def _put(self, **content: Any) -> None:
        self.records.write(self.event(wall_time=time.time(), **content).SerializeToString())
        self.records.flush()

    def close(self) -> None:
        self.records.close()


class WandB:
    """A run of W&B in `wandb/` where the tables are, offline unless WANDB_MODE says otherwise; each table has its own
    axis of steps. Its id is the run's hash: what is uploaded again takes its own place.
    """

    def __init__(self, place: Path, about: About) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # its own faults, sent to its makers
        import wandb

        clear(place, "wandb")
        (place / "wandb").mkdir(exist_ok=True)
        silent = wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True, x_disable_meta=True
        )
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "aeos"),
            dir=place.resolve(),  # its service may have begun in another working directory
            id=about.id,
            name=about.name,
            group=about.job,
            config=dict(about.config),
            mode=os.environ.get("WANDB_MODE", "offline"),
            reinit="create_new",
            settings=silent,
        )
        self.curves, self.axes = Curves(), set[str]()

    def write(self, table: str, row: Row) -> None:
        step, points = self.curves.of(table, row)
        if table not in self.axes:
            self.axes.add(table)
            self.run.define_metric(f"{table}/step", hidden=True)
            self.run.define_metric(f"{table}/*", step_metric=f"{table}/step")
        self.run.log({f"{table}/step": step, **points})

    def close(self) -> None:
        import wandb

        try:
            self.run.finish()
        except Exception:
            wandb.teardown()  # else the end of the process would ask the dead service once more, and say so
            raise


#: The module whose import shows that there is the package, and what makes the sink.
SINKS: dict[str, tuple[str, Callable[[Path, About], Sink]]] = {
    "tensorboard": ("tensorboard.summary.writer.record_writer", TensorBoard),
    "wandb": ("wandb", WandB),
}


class Sinks:
    """The sinks of one run. One that fails is left out from then on, with one warning: no run ends because of it."""

    def __init__(self) -> None:
        self.open: dict[str, Sink] = {}

    def begin(self, name: str, place: Path, about: About) -> None:
        with self._optional(name):
            self.open[name] = SINKS[name][1](place, about)

    def write(self, table: str, row: Row) -> None:
        for name, sink in list(self.open.items()):
            with self._optional(name):
                sink.write(table, row)

    def close(self) -> None:
        for name, sink in list(self.open.items()):
            with self._optional(name):
                sink.close()

    @contextmanager
    def _optional(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever the package, its service or the disk has
            broken = self.open.pop(name, None)
            with suppress(Exception):
                if broken:
                    broken.close()
            line = f"sinks: {name} failed ({told(error)}) and is left out; the tables have every row"
            log.warning(line)
            print(f"aeos: {line}", file=sys.stderr)


def check(names: Sequence[str]) -> None:
    """Raises BadInput for a sink whose package is not there."""
    for name in names:
        try:
            importlib.import_module(SINKS[name][0])
        except ImportError:
            raise BadInput(f'sinks=[{name}]: not installed: pip install "aeos[{name}]"') from None


@contextmanager
def opened(names: Sequence[str], place: Path, about: About, tables: Sequence[str]) -> Iterator[Sinks]:
    """The named sinks, with the rows that the CSVs of these tables have: after a restart, those of its checkpoint."""
    sinks = Sinks()
    for name in dict.fromkeys(names):
        sinks.begin(name, place, about)
    try:
        for table in tables if sinks.open else ():
            with open(place / f"{table}.csv", newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    sinks.write(table, {name: cell for name, cell in row.items() if cell})
        yield sinks
    finally:
        sinks.close()


def clear(place: Path, name: str) -> None:
    shutil.rmtree(place / name, ignore_errors=True)
