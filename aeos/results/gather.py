"""Tables of many runs in one: each row with its run and the settings in which these runs differ."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from aeos.errors import BadInput
from aeos.results import atomic
from aeos.results.identity import LATER
from aeos.results.parts import parts
from aeos.results.read import Run, identity, load
from aeos.results.schema import TABLES
from aeos.results.union import union


def gather(folders: Sequence[Path], to: Path) -> list[Path]:
    """Write one CSV a table of the runs found in these folders, each the folder of a run, of a job, or of all output.

    Copies of one run are one run: their rows are put together by key. Raises BadInput, and writes nothing, when two of
    them disagree.
    """
    if (to / "env.json").exists() or any((to / name).is_dir() for name in ("shards", "blocks")):
        raise BadInput(f"--to {to}: that is a run's own folder; give another one")
    copies: dict[str, list[Run]] = {}
    for run in runs(folders):
        copies.setdefault(json.dumps(settings(run), sort_keys=True, default=str), []).append(run)
    written = {}
    for table in TABLES:
        having = [same for same in copies.values() if any(files(table, same))]
        if having:
            written[to / f"{table}.csv"] = _csv(table, having)
    try:
        to.mkdir(parents=True, exist_ok=True)
        for file, text in written.items():
            atomic.write_text(file, text)
    except OSError as error:
        raise BadInput(f"--to {to}: cannot write there ({error.strerror}): give another folder") from error
    return list(written)


def runs(folders: Iterable[Path]) -> Iterator[Run]:
    """Every run in these folders, once. Raises BadInput for a folder without any."""
    seen = set()
    for folder in folders:
        inside = (run for pattern in ("*/env.json", "*/*/env.json") for run in _runs(folder.glob(pattern)))
        found = [load(folder)] if (folder / "env.json").is_file() else list(inside)
        if not found:
            raise BadInput(f"{folder}: there are no runs in it; `aeos list` shows those of an output folder")
        for run in found:
            if run.path.resolve() not in seen:
                seen.add(run.path.resolve())
                yield run


def _runs(files: Iterable[Path]) -> Iterator[Run]:
    for file in sorted(files):
        try:
            yield load(file.parent)
        except BadInput:
            continue


def settings(run: Run) -> dict[str, Any]:
    """What defines it: its job, and all settings that are not only a matter of how or where."""
    return {"job": run.job, **LATER, **identity(run.config)}


def files(table: str, copies: Iterable[Run]) -> Iterator[Path]:
    """Those of a table that there are, shards' ones included."""
    for run in copies:
        for place in (run.path, *parts(run.path)):
            if (file := place / f"{table}.csv").is_file():
                yield file


def _csv(table: str, having: Sequence[list[Run]]) -> str:
    columns = [column.name for column in TABLES[table]]
    told = [settings(same[0]) for same in having]
    names = list(dict.fromkeys(name for each in told for name in each))
    differ = [name for name in names if any(each.get(name) != told[0].get(name) for each in told)]
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["run", "finished", *(f"run.{name}" if name in columns else name for name in differ), *columns])
    for same, each in zip(having, told, strict=True):
        finished = any(run.finished for run in same)
        about = [same[0].name, finished, *(_cell(each.get(name)) for name in differ)]
        out.writerows([*about, *cells] for cells in union(table, files(table, same)).values())
    return text.getvalue()


def _cell(value: Any) -> str:
    """Text as it is, empty for null, anything else as in an override."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
