"""Settings of curves: which (β, γ) a sweep visits. β is optimizer.beta2, of the second moment, γ is optimizer.beta1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aeos.schema.fields import at_least, finite, rate, setting


def inside(default: Any) -> Any:
    """A rate for which every formula holds: neither end belongs."""
    return setting(default, lambda x: 0 < x < 1, "in (0, 1)")


@dataclass
class Normal:
    """The normal curve through (beta, gamma), points even in arc length, from γ = 1, left out, up to that point.

    `section`: [lowest, highest] stability coefficient, both ends included, instead of the whole curve.
    """

    name: str = "normal"
    points: int = at_least(1, 128)
    beta: float = inside(0.999)
    gamma: float = inside(0.9)
    section: list[float] | None = finite(None)

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        if node.section is not None and (len(node.section) != 2 or node.section[0] >= node.section[1]):
            yield f"section={node.section}: must be [lowest, highest] coefficient, or null for the whole curve"


@dataclass
class Level:
    """The curve on which the stability coefficient is `c`, points even in arc length, γ from `low` to `high`."""

    name: str = "level"
    points: int = at_least(1, 64)
    c: float = finite(0.0)
    low: float = inside(0.5)
    high: float = inside(0.99)

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        if node.low >= node.high:
            yield f"low={node.low}: must be below high={node.high}"


@dataclass
class Grid:
    """Every β with every γ; γ = 0 is RMSprop."""

    name: str = "grid"
    betas: list[float] = inside([0.9, 0.99, 0.999])
    gammas: list[float] = rate([0.0, 0.5, 0.9, 0.99])

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        yield from (f"{key}=[]: must name at least one" for key in ("betas", "gammas") if not node[key])


@dataclass
class Points:
    """Those that `at` lists: [[beta, gamma], …]."""

    name: str = "points"
    at: Any = field(default=None)

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        try:
            pairs = [(float(beta), float(gamma)) for beta, gamma in node.at or ()]
        except (TypeError, ValueError):
            pairs = []
        if not pairs or not all(0 < beta < 1 and 0 <= gamma < 1 for beta, gamma in pairs):
            yield f"at={node.at}: must be a list of [beta, gamma], 0 < beta < 1, 0 <= gamma < 1: curve.at=[[0.999,0.9]]"


CURVES = (Normal, Level, Grid, Points)
