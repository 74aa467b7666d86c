"""The runs that figures ask for, each done once, several at a time; a figure is drawn as soon as its runs are there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aeos.errors import told
from aeos.figures.registry import FigureConfig
from aeos.processes import begun_by, cores, pool, take_share
from aeos.reproduce.entry import Entry
from aeos.reproduce.request import Key, Request


@dataclass(frozen=True)
class Ran:
    """Where a run is and how many seconds it took in all, or why there is none."""

    path: Path | None = None
    seconds: float = 0.0
    error: str = ""


def perform(request: Request, tell: Callable[[int, int], None]) -> Iterator[Entry]:
    """One entry a figure, in the order in which they are ready; tell(done, all) counts runs.

    Runs that cost most begin first. Leaving early stops the workers at once: runs go on from their checkpoints.
    """
    wanted = request.runs()
    todo = _dearest_last(request, wanted)
    ran: dict[Key, Ran] = {}
    waiting = {figure.name: figure for figure in request.figures}
    extra = ["workers=0"] if len(todo) > 1 else []  # else a sweep may have processes of its own
    total = len(todo)
    context = begun_by("spawn")
    stop = context.RawValue("b", 0)
    with pool(request.workers, context, _begin, stop, max(1, cores() // request.workers)) as working:
        try:
            while waiting or len(working):
                ready = [name for name in waiting if all(key in ran for key in wanted[name])]
                while len(working) < request.workers and (ready or todo):
                    if ready:
                        figure = waiting.pop(ready.pop(0))
                        found = [ran[key] for key in wanted[figure.name]]
                        working.submit(None, _draw, figure, request.scale, found, request.out / "report" / "figures")
                    else:
                        job, words = key = todo.pop()
                        working.submit(key, _run, job, words, extra if job == "sweep_stability" else [])
                for key, result in working.ended():
                    if key is None:
                        yield result
                    else:
                        ran[key] = result
                        tell(len(ran), total)
        except BaseException:
            stop.value = 1
            raise


def _dearest_last(request: Request, wanted: dict[str, list[Key]]) -> list[Key]:
    """Every run once, by its share of what its figure costs."""
    cost: dict[Key, float] = {}
    for figure in request.figures:
        for key in wanted[figure.name]:
            share = figure.cost.get(request.scale, figure.cost.get("full", 0.0)) / len(wanted[figure.name])
            cost[key] = max(cost.get(key, 0.0), share)
    return sorted(cost, key=cost.__getitem__)


def _begin(stop: Any, threads: int) -> None:
    """Make this process a worker: silent, with its share of the cores, gone at once when nobody waits for it."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    take_share(stop, threads)


def _run(job: str, words: tuple[str, ...], extra: list[str]) -> Ran:
    from aeos.launch import run

    try:
        path = run(job, [*words, *extra]).path
        return Ran(path, json.loads((path / "done.json").read_text()).get("seconds", 0.0))
    except Exception as error:  # whatever stops one run must not stop the others
        return Ran(error=told(error))


def _draw(figure: FigureConfig, scale: str, ran: list[Ran], folder: Path) -> Entry:
    from aeos.reproduce.draw import draw

    if errors := list(dict.fromkeys(one.error for one in ran if one.error)):
        return Entry.of(figure, scale, error="; ".join(errors))
    return draw(figure, scale, [(one.path, one.seconds) for one in ran if one.path], folder)
