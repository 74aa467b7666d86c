"""What happens to the files of a run that lies on disk: cut, emptied, other bytes, another run's, no right to write."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import torch

from aeos.results import checkpoint

KINDS = ("truncated", "corrupted", "appended", "emptied", "foreign")


def damage(file: Path, kind: str, chance: random.Random) -> None:
    """In a way of that kind; a CSV at its last line."""
    data = file.read_bytes()
    start = data.rstrip(b"\n").rfind(b"\n") + 1 if file.suffix == ".csv" else 0
    if kind == "truncated":
        file.write_bytes(data[: chance.randrange(start, len(data) - 1)])
    elif kind == "corrupted":
        at = chance.randrange(start, len(data) - 1)
        file.write_bytes(data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :])
    elif kind == "appended":
        file.write_bytes(data + bytes(chance.randrange(256) for _ in range(chance.randrange(1, 80))))
    elif kind == "emptied":
        file.write_bytes(b"")
    else:
        foreign(file, chance)


def foreign(file: Path, chance: random.Random) -> None:
    """Sound in itself, but not what belongs there."""
    if file.suffix == ".json":
        file.write_text(json.dumps(chance.choice([[], 3, None, {"status": 1}, {"files": 0, "status": "finished"}])))
    elif file.suffix == ".yaml":
        file.write_text(chance.choice(["[]", "job: train\n", "!!python/object/apply:os.system ['true']\n"]))
    elif file.suffix == ".csv":
        file.write_text("beta,gamma,seed,step\n0.9,0.9,0,0\n")
    else:
        run = f"{file.parent.parent.name}/{file.parent.name.rpartition('-')[2]}"
        wrong = [{}, {"tables": {"nonsense": [9, 9]}, "content": {}, "seconds": 0.0}]
        wrong += [{"tables": {}, "content": {"step": torch.ones(3)}, "seconds": 0.0}, {"tables": [], "seconds": "long"}]
        content = chance.choice([*wrong, None])
        if content is None:
            checkpoint.save(file, {"tables": {}, "content": {}, "seconds": 0.0}, "train/0123456789")
        else:
            checkpoint.save(file, content, run)


def forbid(folder: Path) -> None:
    """For everyone but root: read and enter, nothing else; what lies above it may be entered."""
    for path in (folder, *folder.rglob("*")):
        os.chmod(path, 0o555 if path.is_dir() else 0o444)


def allow(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chmod(path, 0o777 if path.is_dir() else 0o666)


def copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)
