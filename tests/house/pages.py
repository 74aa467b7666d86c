"""README.md and docs/*.md: their blocks, their links, their anchors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = sorted(ROOT.glob("docs/*.md"))
PAGES = [ROOT / "README.md", *DOCS]
#: Pages that walk through an example of docs/examples, where alone their commands can run.
WALKS = {"add-an-optimizer": "adabelief", "add-a-figure": "warmup"}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block; `file` is what was linked to last before it, None where nothing was."""

    page: Path
    kind: str
    text: str
    file: Path | None

    def __str__(self) -> str:
        return f"{self.page.stem}: {self.text.strip().splitlines()[0]}"


def blocks(page: Path, *kinds: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCED.finditer(text):
        before = links(text[: match.start()])
        file = page.parent / before[-1] if before else None
        found.append(Block(page, match[1], match[2], file))
    return [block for block in found if block.kind in kinds]


def commands(page: Path) -> list[str]:
    return [line for block in blocks(page, "sh") for line in block.text.splitlines()]


def links(text: str) -> list[str]:
    """Where the text leads to in this repository, in order; code is not text."""
    plain = re.sub(r"`[^`\n]*`", "", FENCED.sub("", text))
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", plain) if not re.match(r"\w+:", link)]


def anchors(page: Path) -> set[str]:
    """Of its headings, as code hosts name them."""
    headings = re.findall(r"^#+ +(.*?) *$", FENCED.sub("", page.read_text(encoding="utf-8")), re.M)
    shown = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in shown}
