"""`aeos list`: what there is to run, to choose from, to draw, and what lies in the output folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from aeos.paths import conf_dir, groups
from aeos.results import read


def figure_lines() -> Iterator[str]:
    """One line a figure: its name, what it shows, where it is from."""
    from aeos.figures.registry import figures

    for name, figure in figures().items():
        number = f", Fig. {figure.number}" if figure.number else ""
        source = f" (arXiv {figure.paper}{number})" if figure.paper else ""
        yield f"{name}: {figure.title}{source}"


def jobs() -> list[str]:
    return sorted(file.stem.replace("_", "-") for file in conf_dir().glob("*.yaml") if file.stem != "run")


def overview(out: Path) -> None:
    """Print it all; runs as one row each."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print("[bold]Jobs[/]:", ", ".join(jobs()))
    for group, names in groups().items():
        console.print(f"[bold]{group}[/]:", ", ".join(names))
    console.print("[bold]Figures[/]:")
    for line in figure_lines():
        console.print("  " + line, highlight=False)
    table = Table(
        "run", "status", "steps", "train loss", "test loss", title=f"Runs in {out}", title_justify="left", box=None
    )
    for run in read.find(out):
        summary = run.summary or {"status": "unfinished"}
        numbers = [summary.get(key) for key in ("steps", "train_loss", "test_loss")]
        table.add_row(f"{run.job}/{run.name}", summary["status"], *("" if n is None else f"{n:.5g}" for n in numbers))
    console.print(table if table.row_count else f"[bold]Runs in {out}[/]: none yet")
