"""`aeos list`: what there is to run, to choose from, to draw, and what lies in the output folder."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from aeos.errors import BadInput, suggest
from aeos.figures import claims
from aeos.figures.papers import source
from aeos.figures.registry import SCALES, figures
from aeos.paths import conf_dir, groups
from aeos.results import read
from aeos.results.gather import files
from aeos.results.union import union


def figure_lines() -> Iterator[str]:
    """One line a figure: its name, what it shows, where it is from."""
    for name, figure in figures().items():
        origin = source(figure.paper, figure.number)
        yield f"{name}: {figure.title}" + (f" ({origin})" if origin else "")


def jobs() -> list[str]:
    return sorted(file.stem.replace("_", "-") for file in conf_dir().glob("*.yaml") if file.stem != "run")


PARTS = ("jobs", "groups", "figures", "runs")


def overview(out: Path, part: str | None = None) -> None:
    """Print one part of it, or all. Raises BadInput for a part that there is not."""
    if part not in (None, *PARTS):
        raise BadInput(f"list {part}: there are {', '.join(PARTS)}{suggest(str(part), PARTS)}")
    console = Console(width=None if sys.stdout.isatty() else 160)
    if part in (None, "jobs"):
        console.print("[bold]Jobs[/]:", ", ".join(jobs()))
    if part in (None, "groups"):
        for group, names in groups().items():
            console.print(f"[bold]{group}[/]:", ", ".join(names))
    if part is None:
        console.print("[bold]Figures[/] (`aeos list figures` says more):")
        for line in figure_lines():
            console.print("  " + line, highlight=False)
    if part == "figures":
        console.print(_figures(out))
    if part in (None, "runs"):
        table = _runs(out)
        console.print(table if table.row_count else f"[bold]Runs in {out}[/]: none yet")


def _figures(out: Path) -> Table:
    """One row a figure: where it is from, what it costs at each scale, how its claims stand in the output folder."""
    table = Table(
        "figure", "from", *SCALES, "claims", title="Figures, in time of one core", title_justify="left", box=None
    )
    judged = _claims(out)
    for name, figure in figures().items():
        costs = [figure.costs(scale) for scale in SCALES]
        table.add_row(name, source(figure.paper, figure.number), *costs, judged.get(name, ""))
    return table


def _claims(out: Path) -> dict[str, str]:
    """By figure, what its newest table of claims says."""
    files = [
        file for folder in ("figures", "report/figures", "*/*/figures") for file in out.glob(f"{folder}/*.claims.csv")
    ]
    newest = {_figure_of(file): file for file in sorted(files, key=lambda file: file.stat().st_mtime)}
    return {name: _counted(file) for name, file in newest.items()}


def _counted(file: Path) -> str:
    try:
        return claims.counted(claims.read(file))
    except BadInput:
        return "damaged: draw it again"


def _figure_of(file: Path) -> str:
    """sharpness-1f2e3d4c.claims.csv → sharpness"""
    return re.sub(r"(-[0-9a-f]{8})?\.claims\.csv$", "", file.name)


def _runs(out: Path) -> Table:
    table = Table(
        "run", "status", "steps", "train loss", "test loss", title=f"Runs in {out}", title_justify="left", box=None
    )
    for run in read.find(out):
        summary = run.summary or {"status": _progress(run)}
        numbers = [summary.get(key) for key in ("steps", "train_loss", "test_loss")]
        table.add_row(f"{run.job}/{run.name}", summary["status"], *("" if n is None else f"{n:.5g}" for n in numbers))
    return table


def _progress(run: read.Run) -> str:
    """How far an unfinished run is: of a sweep, the points that it and its shards have."""
    try:
        points = len(union("points", files("points", [run])))
    except BadInput as error:
        return f"unfinished: {error}"
    return f"unfinished, {points} points" if points else "unfinished"
