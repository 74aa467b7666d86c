"""What a person sees while a job runs: a live bar on a terminal, nothing but a closing line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(label: str, steps: int) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with the number of steps done; it draws on stderr, at most ten times a second."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task, due = bar.add_task(label, total=steps), 0.0

        def advance(step: int) -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due or step == steps:
                bar.update(task, completed=step, refresh=True)
                due = now + 0.1

        yield advance
