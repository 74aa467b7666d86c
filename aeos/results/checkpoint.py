"""Checkpoints: nested dictionaries of tensors and numbers, whole or absent, loaded without running any code."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

from aeos.errors import BadInput
from aeos.results import atomic

AGAIN = "add force=true to start this run over"
SEAL = 4  # bytes after what torch wrote, which torch passes over: its CRC-32, begun with the name of the run


def save(path: Path, content: dict[str, Any], run: str = "") -> None:
    """Raises BadInput when it cannot be written."""
    import torch

    buffer = io.BytesIO()  # torch's own writer, stopped by a full disk, does not say why
    torch.save(content, buffer)
    data = buffer.getbuffer()
    with atomic.writing(path):
        atomic.write(path, lambda file: (file.write(data), file.write(_seal(data, run))))


def load(path: Path, run: str = "") -> dict[str, Any] | None:
    """What was saved for that run, tensors on the CPU; None when there is none.

    Raises BadInput when the file is damaged or another run's: torch itself loads numbers with flipped bits unnoticed.
    """
    import torch

    if not path.exists():
        return None
    try:
        data = path.read_bytes()
        if data[-SEAL:] != _seal(memoryview(data)[:-SEAL], run):
            raise BadInput(f"{path} is damaged, or of another run: {AGAIN}")
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except BadInput:
        raise
    except Exception as error:  # torch raises whatever its reader stumbles over
        raise BadInput(f"{path} is damaged ({type(error).__name__}): {AGAIN}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} is not a checkpoint of aeos: {AGAIN}")
    return content


def _seal(data: memoryview, run: str) -> bytes:
    return zlib.crc32(data, zlib.crc32(run.encode())).to_bytes(SEAL, "little")
