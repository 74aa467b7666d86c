"""Runs as they lie on disk, read-only: what figures and `aeos list` see. Imports neither torch nor hydra."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from aeos.errors import BadInput
from aeos.results.checksum import checksum
from aeos.results.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd


#: Settings that say how, where or under which name a run is done, but not what it computes: left out of its hash.
NOT_IDENTITY = frozenset(
    {"name", "out", "force", "checkpoint_seconds", "data.data_dir", "data.download"}
    | {"block", "workers", "shards", "shard", "sinks", "launch", "memory_gb"}
)
AGAIN = "add force=true to the run's command to do it again"


@dataclass(frozen=True)
class Run:
    """One run folder: outputs/<job>/<name>-<hash>/."""

    path: Path
    config: dict[str, Any]
    env: dict[str, Any]
    summary: dict[str, Any] | None  # None until the run has finished
    checksums: dict[str, int] = field(default_factory=dict)  # of its files, from then on

    @property
    def job(self) -> str:
        return str(self.env["job"])

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def finished(self) -> bool:
        return self.summary is not None

    @property
    def tables(self) -> list[str]:
        """Names of the tables that exist, for example ["metrics"]."""
        return sorted(file.stem for file in self.path.glob("*.csv"))

    def table(self, name: str) -> pd.DataFrame:
        """The tidy table `<name>.csv` without a last line that a kill cut short.

        Raises BadInput when it is absent or damaged.
        """
        import pandas as pd

        file = self.path / f"{name}.csv"
        if not file.is_file():
            first = f"aeos collect {self.path}" if (self.path / "shards").is_dir() else "start its run again"
            raise BadInput(f"{self.path} has no {file.name}: {first}, or give another run")
        content = file.read_bytes()
        if self.checksums.get(file.name, zlib.crc32(content)) != zlib.crc32(content):
            raise BadInput(f"{file} was changed since its run finished: {AGAIN}")
        if b"\n" not in content:
            raise BadInput(f"{file} has no rows yet: wait for the first measurement")
        try:
            table = pd.read_csv(io.BytesIO(content[: content.rfind(b"\n") + 1]))
        except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
            raise BadInput(f"{file} is damaged ({type(error).__name__}): {AGAIN}") from error
        numeric = [column.name for column in TABLES.get(name, ()) if column.kind is not str and column.name in table]
        if table.empty:
            return table.astype(dict.fromkeys(numeric, float))
        if wrong := [key for key in numeric if not pd.api.types.is_numeric_dtype(table[key])]:
            raise BadInput(f"{file} is damaged ({wrong[0]}): {AGAIN}")
        return table


def load(path: Path) -> Run:
    """The run in this folder, finished or not. Raises BadInput when it is not a run folder."""
    if not path.is_dir():
        raise BadInput(f"{path}: no such run folder; `aeos list` shows the runs there are")
    try:
        config = yaml.safe_load((path / "config.yaml").read_text())
        env = json.loads((path / "env.json").read_text())
        if not isinstance(config, dict) or "job" not in env:
            raise ValueError
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        raise BadInput(f"{path} is not a run folder: it lacks a readable config.yaml and env.json") from None
    return Run(path, config, env, *conclusion(path))


def conclusion(path: Path) -> tuple[dict[str, Any] | None, dict[str, int]]:
    """(summary, checksums of its files) of a finished run; (None, {}) where there is none that can be read."""
    try:
        done, summary = (json.loads((path / name).read_text()) for name in ("done.json", "summary.json"))
        if {"status"} <= done.keys() & summary.keys():
            return summary, {str(name): int(crc) for name, crc in done.get("files", {}).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        pass
    return None, {}


def intact(file: Path, crc: int) -> bool:
    try:
        return checksum(file) == crc
    except OSError:
        return False


def find(root: Path) -> Iterator[Run]:
    """Every run under an output folder, in the order of their names; folders that are no runs are passed over."""
    for file in sorted(root.glob("*/*/env.json")):
        try:
            yield load(file.parent)
        except BadInput:
            continue


def identity(config: dict[str, Any]) -> dict[str, Any]:
    """The settings, flat, that define what a run computes."""
    return {key: value for key, value in flatten(config).items() if not {key, key.partition(".")[0]} & NOT_IDENTITY}


def flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"optimizer": {"lr": 1}} → {"optimizer.lr": 1}"""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
