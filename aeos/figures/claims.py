"""What a figure asserts: a number that was predicted, the number that was measured, and whether they agree."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from aeos.errors import BadInput
from aeos.results import atomic

Kind = Literal["relative", "absolute", "at_most", "at_least"]
Origin = Literal["published", "derived", "measured"]


@dataclass(frozen=True)
class Claim:
    """|m − p| ≤ tol·|p| (relative), |m − p| ≤ tol (absolute), m ≤ p + tol (at_most) or m ≥ p − tol (at_least).

    `origin` says where the prediction p comes from: printed in the paper, derived here, or itself measured.
    `set_after`: the tolerance was chosen with the measured number m in sight. Raises ValueError on an unknown kind.
    """

    text: str
    predicted: float
    measured: float
    tolerance: float
    kind: Kind = "relative"
    origin: Origin = "published"
    set_after: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind) or self.origin not in get_args(Origin):
            raise ValueError(f"kind={self.kind}, origin={self.origin}: no such kind or origin of a claim")
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance={self.tolerance}: must be >= 0")

    @property
    def verdict(self) -> Literal["PASS", "FAIL"]:
        """FAIL also when either number is not finite: nothing was compared."""
        p, m, tolerance = self.predicted, self.measured, self.tolerance
        holds = {
            "relative": abs(m - p) <= tolerance * abs(p),
            "absolute": abs(m - p) <= tolerance,
            "at_most": m <= p + tolerance,
            "at_least": m >= p - tolerance,
        }
        return "PASS" if math.isfinite(p) and math.isfinite(m) and holds[self.kind] else "FAIL"

    @property
    def condition(self) -> str:
        """The prediction with its tolerance: `0.5 ± 10%`, `≤ 2`, `≥ 2 − 0.1`."""
        slack = f"{100 * self.tolerance:.4g}%" if self.kind == "relative" else f"{self.tolerance:.4g}"
        if self.kind in ("relative", "absolute"):
            return f"{self.predicted:.4g} ± {slack}"
        sign, toward = ("≤", "+") if self.kind == "at_most" else ("≥", "−")
        return f"{sign} {self.predicted:.4g}" + (f" {toward} {slack}" if self.tolerance else "")


def rows(claims: Sequence[Claim]) -> list[str]:
    """One aligned line a claim: `PASS  measured 0.52  predicted 0.5 ± 10% (published)  what it says`."""
    predicted = [f"{c.condition} ({c.origin}{', tolerance set after' if c.set_after else ''})" for c in claims]
    measured = [f"{c.measured:.4g}" for c in claims]
    wide, broad = max(map(len, predicted), default=0), max(map(len, measured), default=0)
    return [
        f"{claim.verdict}  measured {m:<{broad}}  predicted {p:<{wide}}  {claim.text}"
        for claim, p, m in zip(claims, predicted, measured, strict=True)
    ]


def counted(claims: Sequence[Claim]) -> str:
    """`3 of 4 claims hold`, `no claims`."""
    holding = sum(claim.verdict == "PASS" for claim in claims)
    return f"{holding} of {len(claims)} claims hold" if claims else "no claims"


def write(claims: Sequence[Claim], file: Path) -> None:
    """A tidy table: one row a claim, its fields and then its verdict. Raises OSError when it cannot be written."""
    text = io.StringIO()
    table = csv.DictWriter(text, [*(field.name for field in fields(Claim)), "verdict"], lineterminator="\n")
    table.writeheader()
    table.writerows({**asdict(claim), "verdict": claim.verdict} for claim in claims)
    atomic.write_text(file, text.getvalue())


def read(file: Path) -> list[Claim]:
    """The claims that `write` wrote, their verdicts judged anew. Raises BadInput for anything else."""
    numbers = ("predicted", "measured", "tolerance")
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            found: list[dict[str, Any]] = [dict(row) for row in csv.DictReader(lines)]
        for row in found:
            del row["verdict"]
            row |= {key: float(row[key]) for key in numbers} | {"set_after": row["set_after"] == "True"}
        return [Claim(**row) for row in found]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise BadInput(f"{file} is damaged ({type(error).__name__}): draw its figure again") from error
