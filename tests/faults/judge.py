"""What a disturbed run left, beside what the undisturbed one did: every row, every digit, in the same order."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aeos.results.schema import TABLES

Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class Difference:
    lost: int = 0
    doubled: int = 0
    text: str = ""


def difference(found: Path, wanted: Path, in_order: bool) -> Difference:
    """Between the output folders of one command. Clock columns do not count, nor does the order of rows if not
    `in_order`.
    """
    ours, theirs = tables(found), tables(wanted)
    if ours.keys() != theirs.keys():
        return Difference(text=f"tables {sorted(ours)} instead of {sorted(theirs)}")
    lost = sum((Counter(theirs[name]) - Counter(ours[name])).total() for name in theirs)
    more = sum((Counter(ours[name]) - Counter(theirs[name])).total() for name in theirs)
    if lost or more:
        return Difference(lost, more, f"{lost} rows lost, {more} too many")
    if in_order and ours != theirs:
        return Difference(text="rows in another order")
    if summaries(found) != summaries(wanted):
        return Difference(text="another summary")
    litter = [file.name for file in found.glob("outputs/**/*") if file.suffix == ".tmp" or file.parent.name == "blocks"]
    return Difference(text=f"litter: {', '.join(litter)}" if litter else "")


def tables(folder: Path) -> dict[str, Rows]:
    """By path, the rows of every CSV as they are written, but for the clock."""
    return {str(file.relative_to(folder)): list(rows(file)) for file in sorted(folder.rglob("outputs/**/*.csv"))}


def rows(file: Path) -> Rows:
    clock = {column.name for column in TABLES.get(file.stem, ()) if column.clock}
    header, *lines = csv.reader(io.StringIO(file.read_text(errors="replace")))
    return [tuple(cell for name, cell in zip(header, line, strict=False) if name not in clock) for line in lines]


def summaries(folder: Path) -> dict[str, Any]:
    """Of every finished run."""
    done = {file.parent for file in folder.rglob("outputs/**/done.json")}
    return {str(run.relative_to(folder)): _still(json.loads((run / "summary.json").read_text())) for run in done}


def _still(content: Any) -> Any:
    if isinstance(content, dict):
        moving = ("wall_time", "block", "workers")
        return {key: _still(value) for key, value in content.items() if key not in moving}
    return content


def complaint(code: int, err: str, killed: bool) -> str:
    """What is wrong with how a command ended; the empty string when it ended as one should."""
    if "Traceback" in err or "Error:" in err.replace("aeos: ", "", 1):
        return "traceback: " + " | ".join(err.splitlines()[-3:])
    said = err.splitlines()
    if code == 0 or (killed and code in (-9, -2, -15)):
        return f"said {said}" if said else ""
    if code in (2, 130, 143) and len(said) == 1 and said[0].startswith("aeos: "):
        return ""
    return f"exit code {code}, said {said}"
