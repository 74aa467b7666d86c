"""What a run is called: its place on disk follows from its settings alone, so the same command finds the same run."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

from aeos.results.read import identity

#: Settings that came later, with what was done before there was a choice: at that value a run is the one it was.
LATER = {"deterministic": False, "bf16": False, "tf32": False}


def resolved(config: DictConfig) -> dict[str, Any]:
    """The config as plain dictionaries, interpolations resolved."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def digest(config: DictConfig, length: int = 10) -> str:
    """Hash of everything that defines the result: all settings but those in NOT_IDENTITY."""
    defines = {key: value for key, value in identity(resolved(config)).items() if LATER.get(key, ...) != value}
    text = json.dumps(defines, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def run_name(config: DictConfig) -> str:
    """The folder's name: `name`, or the choices that say most about the run, and the hash."""
    groups = ("model", "data", "optimizer") if config.data is not None else ("problem", "optimizer")
    return f"{config.name or '-'.join(config[group].name for group in groups)}-{digest(config)}"
