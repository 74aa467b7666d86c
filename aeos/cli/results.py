"""What is done with runs and figures once there are some: reproduce, plot, list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aeos.cli.app import app
from aeos.cli.words import Out, examples_of


@app.command(
    epilog=examples_of(
        "aeos reproduce all",
        "aeos reproduce 2411.15958 scale=full workers=2",
        "aeos reproduce adam_step_sizes talk_distances",
        "aeos reproduce all scale=paper device=cuda data.data_dir=data data.download=true --dry-run",
    )
)
def reproduce(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FIGURE | PAPER | all | scale=quick|full|paper | KEY=VALUE]...", help="What, and how."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and their cost, run nothing.")] = False,
) -> int:
    """Run what figures need, draw them, judge their claims: outputs/report/index.html. Exit code 1 if a claim fails."""
    from aeos.reproduce import reproduce as again

    return again(words or [], dry_run)


@app.command()
def plot(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN | FIGURE]...", help="Run folders, or a figure.")
    ] = None,
    out: Out = Path("outputs"),
    to: Annotated[Path | None, typer.Option("--to", help="Draw into this folder.")] = None,
    list_figures: Annotated[bool, typer.Option("--list", help="Name the figures there are.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Open the picture.")] = False,
) -> None:
    """Draw runs as a figure: PDF, SVG and PNG. Several runs are overlaid."""
    from aeos.listing import figure_lines

    if list_figures:
        print("\n".join(figure_lines()))
        return
    from aeos.errors import BadInput
    from aeos.figures.plot import plot as draw

    files = draw(runs or [], to, out)
    for file in files:
        print(file)
    picture = next(file for file in files if file.suffix == ".png")
    if show and typer.launch(str(picture)):
        raise BadInput(f"--show: no program here opens pictures; look at {picture}")


@app.command("list")
def list_everything(
    part: Annotated[str | None, typer.Argument(metavar="[jobs | groups | figures | runs]", help="One part.")] = None,
    out: Out = Path("outputs"),
) -> None:
    """Name jobs, config groups and their choices, figures, and the runs there are.

    `figures` alone says what each costs and how its claims stand.
    """
    from aeos.listing import overview

    overview(out, part)
