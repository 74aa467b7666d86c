"""`aeos reproduce`: runs what is missing, draws, judges, and writes the report."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from aeos.figures.claims import counted
from aeos.reproduce import report
from aeos.reproduce.entry import Entry
from aeos.reproduce.perform import perform
from aeos.reproduce.request import Request, read

CLAIM_FAILED, MISSING = 1, 2


def reproduce(words: Sequence[str], dry_run: bool = False) -> int:
    """Reproduce what the words name; returns the exit code: 1 when a claim fails, else 2 when a figure is missing.

    With `dry_run` it prints the commands and what they cost, and does nothing. Raises BadInput for words that mean
    nothing.
    """
    request = read(words)
    if dry_run:
        print("\n".join(_plan(request)))
        return 0
    began, entries = time.monotonic(), []
    folder = request.out / "report"
    try:
        with _counting(len(request.figures)) as tell:
            for entry in perform(request, tell):
                entries.append(entry)
                print(line(entry), flush=True)
    finally:  # also of what was done before an interruption
        about = {"command": shlex.join(["aeos", "reproduce", *words]), "seconds": round(time.monotonic() - began, 1)}
        files = report.write(folder, entries, about) if entries else []
    return _conclude(entries, time.monotonic() - began, [str(file) for file in files])


def line(entry: Entry) -> str:
    """`PASS  talk_adam: 3 of 3 claims hold` or why it is missing."""
    return f"{entry.status:<9}  {entry.name}: {entry.error or counted(entry.claims)}"


def _conclude(entries: Sequence[Entry], seconds: float, files: Sequence[str]) -> int:
    claims = [claim for entry in entries for claim in entry.claims]
    failed = [entry for entry in entries if entry.failed]
    missing = [entry for entry in entries if entry.error]
    drawn = len(entries) - len(missing)
    print(f"{drawn} of {len(entries)} figures, {counted(claims)}, {seconds:.0f} s: {' '.join(files)}")
    for entry in failed:
        for claim in entry.failed:
            about = f"measured {claim.measured:.4g}, predicted {claim.condition}"
            print(f"aeos: {entry.name}: {claim.text}: {about}", file=sys.stderr)
    for entry in missing:
        print(f"aeos: {entry.name}: {entry.error}", file=sys.stderr)
    return CLAIM_FAILED if failed else MISSING if missing else 0


def _plan(request: Request) -> Iterator[str]:
    """What would be done: figures with their commands, and the time of one core."""
    seen: set[str] = set()
    for figure in request.figures:
        yield f"# {figure.name}: {figure.costs(request.scale)}"
        new = [command for command in figure.commands if command not in seen]
        seen |= {*new}
        yield from (new if figure.job else [])
    runs = {key for keys in request.runs().values() for key in keys}
    yield f"# {len(request.figures)} figures, {len(runs)} runs"


@contextmanager
def _counting(figures: int) -> Iterator[Callable[[int, int], None]]:
    """On a terminal a bar of the runs; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    redirect = sys.stdout.isatty()  # lines printed above the bar, unless they go elsewhere anyway
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=redirect) as bar:
        task = bar.add_task(f"runs of {figures} figures", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
