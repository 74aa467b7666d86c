"""Write what a report says into README.md (one row a figure) and docs/claims.md (one row a claim).

python scripts/tables.py [outputs/report]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from aeos.figures.claims import Claim, counted
from aeos.figures.papers import PAPERS, source
from aeos.reproduce import report
from aeos.reproduce.entry import Entry

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- figures: scripts/tables.py -->", "<!-- end of figures -->"


def main() -> None:
    entries = report.read(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/report"))
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    rows = "\n".join(row(entry) for entry in entries)
    table = f"| paper | command | claim | predicted | measured |\n|---|---|---|---|---|\n{rows}"
    readme.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")
    (ROOT / "docs" / "claims.md").write_text(claims(entries))


def row(entry: Entry) -> str:
    """A figure by its first claim, or by its title where it has none."""
    cells = [source(entry.paper, entry.number) or "own", f"`aeos reproduce {entry.name} scale={entry.scale}`"]
    if entry.claims:
        first = entry.claims[0]
        cells += [cell(first.text), first.condition, f"{first.measured:.4g}"]
    else:
        cells += [cell(entry.title), "", ""]
    return f"| {' | '.join(cells)} |"


def claims(entries: list[Entry]) -> str:
    """The whole page."""
    every = [claim for entry in entries for claim in entry.claims]
    scales = ", ".join(sorted({entry.scale for entry in entries}))
    parts = [
        "# Every claim, predicted and measured",
        f"`aeos reproduce all scale={scales}`: {len(entries)} figures, {counted(every)}.",
        "*Origin*: the prediction is published in the paper, derived by us from its theory, or itself measured. "
        "*Set*: the tolerance was chosen before its number was seen, or after.",
    ]
    for paper in dict.fromkeys(entry.paper for entry in entries):
        parts.append(f"## {PAPERS[paper]}")
        for entry in (entry for entry in entries if entry.paper == paper and entry.claims):
            number = f" (Fig. {entry.number})" if entry.number else ""
            parts.append(f"### {entry.title}{number}\n\n`aeos reproduce {entry.name} scale={entry.scale}`")
            head = "| verdict | claim | predicted | measured | origin | set |\n|---|---|---|---|---|---|\n"
            parts.append(head + "\n".join(map(claim_row, entry.claims)))
    return "\n\n".join(parts) + "\n"


def claim_row(claim: Claim) -> str:
    when = "after" if claim.set_after else "before"
    cells = (claim.verdict, cell(claim.text), claim.condition, f"{claim.measured:.4g}", claim.origin, when)
    return f"| {' | '.join(cells)} |"


def cell(text: str) -> str:
    """As text in a Markdown table: bars and what would be read as markup escaped."""
    return re.sub(r"([|*_<\\`])", r"\\\1", text)


if __name__ == "__main__":
    main()
