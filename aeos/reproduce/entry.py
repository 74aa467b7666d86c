"""What a report says of one figure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from aeos.figures.claims import Claim
from aeos.figures.registry import FigureConfig


@dataclass(frozen=True)
class Entry:
    """A figure as it was last drawn. `seconds`: what its runs took, each in full, also those shared with others.

    `common`: settings that all of its runs have; `varying`: the values of those that differ. `error`: why it could not
    be drawn.
    """

    name: str
    title: str
    paper: str
    number: str | None
    caption: str
    scale: str
    drawn: str
    commands: list[str]
    runs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    common: dict[str, Any] = field(default_factory=dict)
    varying: dict[str, list[Any]] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    error: str = ""

    @classmethod
    def of(cls, figure: FigureConfig, scale: str, **found: Any) -> Entry:
        about = {key: getattr(figure, key) for key in ("name", "title", "paper", "number", "caption", "commands")}
        return cls(scale=scale, drawn=datetime.now(UTC).isoformat(timespec="seconds"), **about, **found)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Entry:
        """The verdicts are judged anew. Raises KeyError, TypeError or ValueError for what `as_json` did not write."""
        content = {key: value for key, value in content.items() if key != "status"}
        claims = [Claim(**{k: v for k, v in row.items() if k != "verdict"}) for row in content.pop("claims")]
        return cls(claims=claims, **content)

    def as_json(self) -> dict[str, Any]:
        claims = [asdict(claim) | {"verdict": claim.verdict} for claim in self.claims]
        return asdict(self) | {"claims": claims, "status": self.status}

    @property
    def failed(self) -> list[Claim]:
        return [claim for claim in self.claims if claim.verdict == "FAIL"]

    @property
    def status(self) -> str:
        """`PASS`, `FAIL` (a claim does not hold), `MISSING` (it could not be drawn), or `no claims`."""
        if self.error:
            return "MISSING"
        return "FAIL" if self.failed else "PASS" if self.claims else "no claims"
