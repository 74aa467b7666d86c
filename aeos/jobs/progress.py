"""What a person sees while a job runs: a live bar on a terminal, nothing but a closing line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress(label: str, steps: int) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with the number of steps done; it draws on stderr, at most ten times a second."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    with _bars() as bar:
        task, due = bar.add_task(label, total=steps), 0.0

        def advance(step: int) -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due or step == steps:
                bar.update(task, completed=step, refresh=True)
                due = now + 0.1

        yield advance


@contextmanager
def progress_of_blocks(label: str, blocks: Sequence[Sequence[Any]], steps: int) -> Iterator[Callable[[int, int], None]]:
    """Yields a function to call with a block's number and how far it is; a line a block that moves, one for all."""
    if not sys.stderr.isatty():
        yield lambda number, step: None
        return
    with _bars() as bar:
        whole, due = bar.add_task(label, total=steps * sum(map(len, blocks))), 0.0
        tasks: dict[int, Any] = {}
        reached: dict[int, int] = {}

        def advance(number: int, step: int) -> None:
            nonlocal due
            reached[number] = step
            if number not in tasks:
                tasks[number] = bar.add_task(describe(blocks[number]), total=steps)
            now = time.monotonic()
            if now >= due or step == steps:
                for other, task in tasks.items():
                    bar.update(task, completed=reached[other], visible=reached[other] < steps)
                done = sum(step * len(blocks[number]) for number, step in reached.items())
                bar.update(whole, completed=done, refresh=True)
                due = now + 0.1

        yield advance


def describe(block: Sequence[Any]) -> str:
    """A block by its first point and its last."""
    ends = [f"({point.beta:.5g}, {point.gamma:.5g})" for point in dict.fromkeys((block[0], block[-1]))]
    return f"  {len(block)} of seed {block[0].seed}: (β, γ) = " + " … ".join(ends)


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
