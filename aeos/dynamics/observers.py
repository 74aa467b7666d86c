"""Measurements: each observer turns one moment of a simulation into rows of one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from aeos.dynamics.process import Driven, Process, State

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Moment:
    """Every process that still moves, with its state, at one step; `elapsed`: seconds of run time, all restarts."""

    step: int
    elapsed: float
    states: Mapping[str, tuple[Process, State]]


Observer = Callable[[Moment], Iterator[Row]]


@runtime_checkable
class Remembers(Protocol):
    """An observer whose next rows depend on earlier ones: what it packs lies in the checkpoint."""

    def pack(self) -> dict[str, Any]: ...

    def unpack(self, packed: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Watch:
    """`observer` fills `table` every `every` steps, at step 0 and at the last one."""

    table: str
    every: int
    observer: Observer


def metrics(moment: Moment) -> Iterator[Row]:
    """Losses, accuracies and norms of each process: the rows of metrics.csv."""
    for name, (process, state) in moment.states.items():
        row = {"step": state.step, "process": name, **process.problem.metrics(state.theta)}
        row |= {"param_norm": state.theta.norm().item(), "wall_time": round(moment.elapsed, 3)}
        if isinstance(process, Driven):
            row |= {"lr": float(process.lr(state.step)), "grad_norm": process.look(state)[1].norm().item()}
        if state.update is not None:
            row["max_update"] = state.update.abs().max().item()
        yield row
