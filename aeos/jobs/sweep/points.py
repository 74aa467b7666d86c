"""The points of a sweep, and the blocks of them that move together."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby, product
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from aeos.errors import BadInput
from aeos.theory import stability


class Point(NamedTuple):
    beta: float
    gamma: float
    seed: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Point:
        """The point that a row of a table belongs to."""
        return cls(float(row["beta"]), float(row["gamma"]), int(row["seed"]))


def pairs(curve: DictConfig) -> list[tuple[float, float]]:
    """(β, γ) of every point of a curve. Raises BadInput when there is no such curve in the unit square."""
    try:
        match curve.name:
            case "normal":
                section = None if curve.section is None else tuple(curve.section)
                found = stability.normal_curve(curve.points, curve.beta, curve.gamma, section)
            case "level":
                found = stability.level_curve(curve.points, curve.c, curve.low, curve.high)
            case "grid":
                return list(product(curve.betas, curve.gammas))
            case _:
                return [(float(beta), float(gamma)) for beta, gamma in curve.at]
    except ValueError as error:
        raise BadInput(f"curve={curve.name}: {error}") from None
    return [(float(beta), float(gamma)) for beta, gamma in found]


def points(config: DictConfig) -> list[Point]:
    """Every point once, seed by seed, in the order of the curve."""
    curve, seeds = pairs(config.curve), range(config.seed, config.seed + config.seeds)
    return list(dict.fromkeys(Point(beta, gamma, seed) for seed in seeds for beta, gamma in curve))


def blocks(wanted: Sequence[Point], finished: Collection[Point], size: int) -> Iterator[list[Point]]:
    """What is left of each run of `size` points of one seed: the same blocks whatever has been done already."""
    for _, group in groupby(wanted, key=lambda point: point.seed):
        alike = list(group)
        for start in range(0, len(alike), size):
            left = [point for point in alike[start : start + size] if point not in finished]
            if left:
                yield left


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The whole lines of a table, cells as they are written; empty ones are None. Raises BadInput for anything else."""
    try:
        text = file.read_text() if file.is_file() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()
        rows = [{key: cell or None for key, cell in row.items()} for row in csv.DictReader(lines, restkey="")]
    except (ValueError, csv.Error) as error:
        raise BadInput(f"{file} is damaged ({type(error).__name__}): add force=true to its command") from error
    if any("" in row for row in rows):
        raise BadInput(f"{file} is damaged (a line is too long): add force=true to its command")
    return rows
