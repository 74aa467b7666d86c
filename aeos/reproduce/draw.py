"""One figure from its runs, in whichever process: its files, its claims, and what the report says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aeos.errors import told
from aeos.figures.plot import write
from aeos.figures.registry import FigureConfig
from aeos.reproduce.entry import Entry
from aeos.results.read import Run, identity, load


def draw(figure: FigureConfig, scale: str, ran: Sequence[tuple[Path, float]], folder: Path) -> Entry:
    """Draw into folder/<name>.* and judge the claims; what goes wrong is in the entry."""
    try:
        runs = [load(path) for path, _ in ran]
        _, claims = write(figure, runs, folder / figure.name)
    except Exception as error:  # whatever stops one figure must not stop the others
        return Entry.of(figure, scale, error=told(error))
    common, varying = settings(runs)
    seconds = round(sum(seconds for _, seconds in ran), 2)
    names = [f"{run.job}/{run.name}" for run in runs]
    return Entry.of(figure, scale, runs=names, seconds=seconds, common=common, varying=varying, claims=claims)


def settings(runs: Sequence[Run]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Settings that all runs share, and the values of those that differ, each once; what a run lacks counts as null."""
    flat = [identity(run.config) for run in runs]
    common: dict[str, Any] = {}
    varying: dict[str, list[Any]] = {}
    for key in dict.fromkeys(key for one in flat for key in one):
        values = list({repr(value): value for value in (one.get(key) for one in flat)}.values())
        if len(values) == 1:
            common[key] = values[0]
        else:
            varying[key] = values
    return common, varying
