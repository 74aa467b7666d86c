"""Runs as they lie on disk, read-only: what figures and `aeos list` see. Imports neither torch nor hydra."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from aeos.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd


#: Settings that say how, where or under which name a run is done, but not what it computes: left out of its hash.
NOT_IDENTITY = frozenset(
    {"name", "out", "force", "checkpoint_seconds", "data.data_dir", "data.download", "block", "workers"}
)


@dataclass(frozen=True)
class Run:
    """One run folder: outputs/<job>/<name>-<hash>/."""

    path: Path
    config: dict[str, Any]
    env: dict[str, Any]
    summary: dict[str, Any] | None  # None until the run has finished

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
        """The tidy table `<name>.csv` without a last line that a kill cut short. Raises BadInput when it is absent."""
        import io

        import pandas as pd

        file = self.path / f"{name}.csv"
        if not file.is_file():
            raise BadInput(f"{self.path} has no {file.name}: start its run again, or give another run")
        text = file.read_text()
        if "\n" not in text:
            raise BadInput(f"{file} has no rows yet: wait for the first measurement")
        return pd.read_csv(io.StringIO(text[: text.rfind("\n") + 1]))


def load(path: Path) -> Run:
    """The run in this folder, finished or not. Raises BadInput when it is not a run folder."""
    if not path.is_dir():
        raise BadInput(f"{path}: no such run folder; `aeos list` shows the runs there are")
    try:
        config = yaml.safe_load((path / "config.yaml").read_text())
        env = json.loads((path / "env.json").read_text())
        done = path / "done.json"
        summary = json.loads((path / "summary.json").read_text()) if done.is_file() else None
        if not isinstance(config, dict) or "job" not in env:
            raise ValueError
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        raise BadInput(f"{path} is not a run folder: it lacks a readable config.yaml and env.json") from None
    return Run(path, config, env, summary)


def find(root: Path) -> Iterator[Run]:
    """Every run under an output folder, in the order of their names; folders that are no runs are passed over."""
    for file in sorted(root.glob("*/*/env.json")):
        try:
            yield load(file.parent)
        except BadInput:
            continue


def identity(config: dict[str, Any]) -> dict[str, Any]:
    """The settings, flat, that define what a run computes."""
    return {key: value for key, value in flatten(config).items() if key not in NOT_IDENTITY}


def flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"optimizer": {"lr": 1}} → {"optimizer.lr": 1}"""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
