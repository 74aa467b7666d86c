"""`aeos collect`: what several processes left, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aeos.errors import BadInput
from aeos.results.gather import gather, runs


def collect(folders: Sequence[Path], to: Path | None) -> int:
    """Shards of each run folder into that run's own tables; with `to`, tables of all runs found into one there.

    Returns the exit code: 1 when points are missing. Raises BadInput when two versions of one row disagree.
    """
    if not folders:
        raise BadInput("collect: needs a run folder, or an output folder and --to FOLDER (`aeos list` shows runs)")
    if to is not None:
        for file in gather(folders, to):
            print(file)
        return 0
    for folder in folders:
        if folder.is_dir() and not (folder / "env.json").is_file():
            raise BadInput(f"{folder} is no run folder: give one, or --to FOLDER for one table of all runs in it")
    from aeos.jobs.sweep.collect import collect as together

    finished = [together(run) for run in runs(folders)]
    return 0 if all(finished) else 1
