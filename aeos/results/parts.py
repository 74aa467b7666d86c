"""Parts of one run that processes of their own write, each in its place inside the run folder: shards."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from aeos.errors import BadInput
from aeos.results import atomic, checkpoint
from aeos.results.checksum import checksum
from aeos.results.lock import held
from aeos.results.recorder import owner

PARTS = "shards"


def parts(run: Path) -> list[Path]:
    """The places that there are, by name; what begins with a dot is being made or taken away."""
    return sorted(place for place in run.glob(f"{PARTS}/[!.]*") if place.is_dir())


def agreeing(run: Path) -> AbstractContextManager[None]:
    """One process of this run at a time in here: what they share is written by whoever comes first."""
    return held(run / PARTS, wait=True)


def agreed(run: Path, name: str) -> int | None:
    """The number of that name which the processes of this run share; None where none has chosen it yet."""
    try:
        return int(json.loads((run / f"{name}.json").read_text())[name])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def agree(run: Path, name: str, proposed: int) -> int:
    """The number of that name, `proposed` where none has chosen it before."""
    with agreeing(run) if (run / PARTS).is_dir() else nullcontext():
        if (number := agreed(run, name)) is not None:
            return number
        with atomic.writing(run / f"{name}.json"):
            atomic.write_json(run / f"{name}.json", {name: proposed})
    return proposed


def vouched(run: Path, place: Path) -> dict[str, Any]:
    """What the checkpoint of a part holds; {} when there is none, or when its tables are not as it says."""
    try:
        saved = checkpoint.load(place / "checkpoint.pt", owner(run)) or {}
        if saved.get("env") != checksum(run / "env.json"):
            return {}
        for name, (size, crc) in saved.get("tables", {}).items():
            if checksum(place / f"{name}.csv", size) != crc:
                return {}
        return dict(saved.get("content", {}))
    except (BadInput, OSError, TypeError, ValueError, AttributeError):  # whoever writes there says what to do about it
        return {}
