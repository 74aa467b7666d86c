"""The one loop: advance processes on one clock, call observers, append rows, checkpoint, resume."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from torch import Tensor

from aeos.dynamics.observers import Moment, Remembers, Row, Watch
from aeos.dynamics.process import Begins, Process, State
from aeos.errors import BadInput

log = logging.getLogger("aeos")


class Recorder(Protocol):
    """Where rows and checkpoints go; `aeos.results.recorder.Recorder` on disk, `Memory` in a notebook or a test."""

    def write(self, table: str, row: Row) -> None: ...

    def restore(self) -> dict[str, Any] | None: ...

    def due(self) -> bool: ...

    def save(self, content: dict[str, Any]) -> None: ...


class Memory:
    """Keeps rows in lists and no checkpoints."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}

    def write(self, table: str, row: Row) -> None:
        self.rows.setdefault(table, []).append(row)

    def restore(self) -> dict[str, Any] | None:
        return None

    def due(self) -> bool:
        return False

    def save(self, content: dict[str, Any]) -> None:
        pass


class Simulation:
    """Processes that start at one θ, or where an optimizer is, and move together until `steps`, or until each has
    diverged.
    """

    def __init__(
        self, processes: Sequence[Process], start: Tensor | State, watches: Sequence[Watch], recorder: Recorder
    ) -> None:
        self.processes = {process.name: process for process in processes}
        if len(self.processes) != len(processes):
            raise ValueError(f"two processes share a name: {[process.name for process in processes]}")
        self.states = {process.name: begun(process, start) for process in processes}
        self.watches, self.recorder = watches, recorder
        self.diverged: dict[str, int] = {}
        self.first = self.step = start.step if isinstance(start, State) else 0
        self.elapsed = 0.0

    def run(self, steps: int, progress: Callable[[int], None] = lambda step: None) -> dict[str, State]:
        """Advance to `steps`; returns the final states. `diverged` then maps each process that blew up to its step.

        A process that is found unhealthy at step k is observed once more, at k, and moves no further.
        """
        observed = self._restore()
        began = time.perf_counter() - self.elapsed
        while True:
            alive = [name for name in self.processes if name not in self.diverged]
            if not observed:
                failed = [name for name in alive if not self.processes[name].healthy(self.states[name])]
                self.elapsed = time.perf_counter() - began
                last = self.step == steps or len(failed) == len(alive)
                for watch in self.watches:
                    due = alive if last or self.step == self.first or self.step % watch.every == 0 else failed
                    self._observe(watch, due)
                for name in failed:
                    self.diverged[name] = self.step
                    log.info("%s diverged at step %d", name, self.step)
                alive = [name for name in alive if name not in failed]
            observed = False
            progress(self.step)
            if self.step == steps or not alive:
                break
            if self.recorder.due():
                self._save(time.perf_counter() - began)
            for name in alive:
                self.states[name] = self.processes[name].advance(self.states[name])
            self.step += 1
        self._save(self.elapsed)
        return self.states

    def _observe(self, watch: Watch, names: Sequence[str]) -> None:
        if names:
            moment = Moment(
                self.step, self.elapsed, {name: (self.processes[name], self.states[name]) for name in names}
            )
            for row in watch.observer(moment):
                self.recorder.write(watch.table, row)

    def _save(self, elapsed: float) -> None:
        """Always called after the rows of this step and before the next one moves: `_restore` relies on it."""
        states = {name: state.pack() for name, state in self.states.items()}
        content = {"step": self.step, "elapsed": elapsed, "diverged": dict(self.diverged), "states": states}
        self.recorder.save(content | {"observers": {key: observer.pack() for key, observer in self._remembering()}})

    def _remembering(self) -> Iterator[tuple[str, Remembers]]:
        for watch in self.watches:
            if isinstance(watch.observer, Remembers):
                yield watch.table, watch.observer

    def _restore(self) -> bool:
        """Continue where the last checkpoint was; whether there was one, its step's rows thus being written already."""
        saved = self.recorder.restore()
        if saved is None:
            return False
        try:
            self.step, self.elapsed, self.diverged = saved["step"], saved["elapsed"], saved["diverged"]
            for name, packed in saved["states"].items():
                self.states[name].unpack(packed)
            for table, observer in self._remembering():
                observer.unpack(saved["observers"][table])
        except Exception as error:  # whatever each of them stumbles over
            kind = type(error).__name__
            raise BadInput(f"a checkpoint of another version of aeos ({kind}): add force=true to start over") from error
        return True


def begun(process: Process, start: Tensor | State) -> State:
    """Its state at θ₀, or where an optimizer is."""
    if not isinstance(start, State):
        return process.init(start)
    if not isinstance(process, Begins):
        raise ValueError(f"{process.name} begins at a θ only, not where an optimizer is")
    return process.begin(start)
