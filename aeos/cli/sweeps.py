"""What is done with work that many processes share: collect, points."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aeos.cli.app import app
from aeos.cli.words import HYDRA, Overrides, examples_of


@app.command(
    epilog=examples_of(
        "aeos collect outputs/sweep_stability/mlp-digits-adam-0123456789",
        "aeos collect outputs --to tables",
        "aeos collect outputs/train from_the_cluster/train --to tables",
    )
)
def collect(
    folders: Annotated[list[Path] | None, typer.Argument(metavar="DIR", help="Folders of runs, or of many.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="One CSV a table of all runs found, here.")] = None,
) -> int:
    """Put together what shards, or many runs, have left. Exit code 1 while points are missing.

    Of a run folder with shards: their rows become the run's own tables, each row once; when all points are there, the
    run is finished. Two versions of a row that differ, clock columns aside, are an error.

    With --to: one CSV a table, each row with its `run`, whether that is `finished`, and the settings in which the runs
    differ (as run.KEY where the table has a column KEY). Copies of one run count once; unfinished ones count too.
    """
    from aeos.collect import collect as together

    return together(folders or [], to)


@app.command(
    context_settings=HYDRA,
    epilog=examples_of(
        "aeos points sweep-stability curve.points=64 --shards 8",
        "aeos points sweep-stability curve=normal --shards 4 | parallel -j 4",
    ),
)
def points(
    job: Annotated[str, typer.Argument(metavar="sweep-stability", help="The job that has shards.")],
    overrides: Overrides = None,
    shards: Annotated[int, typer.Option("--shards", help="Into how many commands the points go.")] = ...,  # type: ignore[assignment]
) -> None:
    """Print one command line a shard, for any scheduler; `aeos collect` puts together what they leave."""
    from aeos.launch.points import commands

    print("\n".join(commands(job, overrides or [], shards)))
