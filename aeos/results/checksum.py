"""Checksums: whether a file is still the one that was written."""

from __future__ import annotations

import zlib
from pathlib import Path

PIECE = 1 << 20  # bytes read at once


def checksum(file: Path, size: int | None = None) -> int | None:
    """CRC-32 of its first `size` bytes, or of all; None when there are fewer. Raises OSError when it cannot be read."""
    found, left = 0, size
    with file.open("rb") as content:
        while piece := content.read(PIECE if left is None else min(PIECE, left)):
            found = zlib.crc32(piece, found)
            left = None if left is None else left - len(piece)
    return None if left else found
