"""outputs/report: report.json and index.html, of every figure as it was last reproduced."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aeos.errors import BadInput
from aeos.figures.papers import PAPERS, place
from aeos.reproduce.entry import Entry
from aeos.reproduce.page import page
from aeos.results import atomic
from aeos.results.environment import environment


def write(folder: Path, new: Iterable[Entry], about: dict[str, Any]) -> list[Path]:
    """Both files, with these entries in the place of those of the same figures that were there before.

    Raises BadInput when the folder cannot be written.
    """
    entries = {entry.name: entry for entry in read(folder)} | {entry.name: entry for entry in new}
    shown = sorted(entries.values(), key=lambda entry: (place(entry.paper), entry.name))
    about = {**environment(), **about}
    files = [folder / "index.html", folder / "report.json"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(files[0], page(shown, about, folder / "figures"))
        atomic.write_json(files[1], {**about, "figures": [entry.as_json() for entry in shown]})
    except OSError as error:
        raise BadInput(f"{folder}: cannot write there ({error.strerror}); give another folder with out=") from error
    return files


def read(folder: Path) -> list[Entry]:
    """The entries of a report; none where there is none, or where one is damaged or of another version."""
    try:
        content = json.loads((folder / "report.json").read_text())
        return [Entry.from_json(entry) for entry in content["figures"] if entry["paper"] in PAPERS]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
