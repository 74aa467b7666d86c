"""What a rank other than the first writes through: nothing is kept, and it continues where the first rank does."""

from __future__ import annotations

import io
from typing import Any

from aeos.ranks import Ranks
from aeos.results.recorder import Recorder
from aeos.results.table import Row


class Follower(Recorder):
    """In the place of the first rank's recorder, which keeps the rows that all of them have."""

    def __init__(self, ranks: Ranks) -> None:
        self.received = received(ranks)

    def restore(self) -> dict[str, Any] | None:
        return self.received

    def write(self, table: str, row: Row) -> None:
        pass

    def due(self) -> bool:
        return False

    def save(self, content: dict[str, Any]) -> None:
        pass

    def finish(self, summary: dict[str, Any]) -> None:
        pass


def send(ranks: Ranks, saved: dict[str, Any] | None) -> None:
    """To all followers: the content of the first rank's checkpoint, or that there is none."""
    if ranks.count == 1:
        return
    import torch

    packed = io.BytesIO()
    if saved is not None:
        torch.save(saved["content"], packed)
    ranks.sent(packed.getvalue())


def received(ranks: Ranks) -> dict[str, Any] | None:
    import torch

    packed = ranks.sent()
    return torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True) if packed else None
