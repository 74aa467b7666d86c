"""One sweep shared among processes that know nothing of each other: which points are whose, and which are finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig

from aeos.errors import BadInput
from aeos.jobs.sweep.points import Point, blocks
from aeos.results.folder import RunFolder
from aeos.results.parts import PARTS, agree, agreed, parts, vouched

BLOCK = "block"  # what the processes agree on: points moved together, since the last digits may depend on it


class Shard(NamedTuple):
    number: int
    of: int

    @classmethod
    def of_config(cls, config: DictConfig) -> Shard | None:
        return None if config.shards is None else cls(config.shard, config.shards)

    def place(self, run: Path) -> Path:
        return run / PARTS / f"{self.number}-of-{self.of}"

    def share(self, wanted: Sequence[Point], size: int) -> list[Point]:
        """Every `of`-th block of those of the whole sweep: a block never depends on how many shards there are."""
        whole = list(blocks(wanted, (), size))
        return [point for block in whole[self.number :: self.of] for point in block]


def finished(run: Path, place: Path) -> set[Point]:
    """The points that the checkpoint of one of the run's places vouches for."""
    try:
        return {Point(*entry) for entry in vouched(run, place).get("finished", ())}
    except TypeError:  # not a checkpoint of ours, whatever its seal says
        return set()


def others(folder: RunFolder) -> Iterator[tuple[Path, set[Point]]]:
    """(place, its finished points) of every other process that has a part in this run, the unsharded one included."""
    for place in (folder.path, *parts(folder.path)):
        if place != folder.place:
            yield place, finished(folder.path, place)


def block_size(run: Path, config: DictConfig) -> int | None:
    """That of the settings, else the one that the run began with; None where it has yet to be chosen.

    Raises BadInput for a shard with another one than the run's: their shares would not add up.
    """
    known = agreed(run, BLOCK)
    if config.shards is not None and config.block is not None and known not in (None, config.block):
        raise BadInput(f"block={config.block}: {run} began with block={known}; leave block out")
    return config.block or known


def settle_block(run: Path, config: DictConfig, size: int) -> int:
    """`size`, unless another process of the run has come first meanwhile."""
    agreed_on = agree(run, BLOCK, size)
    return size if config.shards is None and config.block else agreed_on
