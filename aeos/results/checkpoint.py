"""Checkpoints: nested dictionaries of tensors and numbers, whole or absent, loaded without running any code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aeos.errors import BadInput
from aeos.results import atomic


def save(path: Path, content: dict[str, Any]) -> None:
    import torch

    atomic.write(path, lambda file: torch.save(content, file))


def load(path: Path) -> dict[str, Any] | None:
    """What was saved, tensors on the CPU; None when there is none. Raises BadInput when the file is damaged."""
    import torch

    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its reader stumbles over
        raise BadInput(f"{path} is damaged ({type(error).__name__}): add force=true to start this run over") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} is not a checkpoint of aeos: add force=true to start this run over")
    return content
