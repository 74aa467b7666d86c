"""The report as one HTML page that needs nothing else: figures, claims with verdicts, commands, settings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from aeos.figures.claims import counted
from aeos.figures.papers import PAPERS, source
from aeos.reproduce import svg
from aeos.reproduce.entry import Entry


def page(entries: Sequence[Entry], about: dict[str, Any], folder: Path) -> str:
    """`entries` in the order of PAPERS; `folder` has their SVGs, without which an entry goes without its picture."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup, escape

    drawn = {entry.name: file.read_text() for entry in entries if (file := folder / f"{entry.name}.svg").is_file()}
    pictures = {
        entry.name: Markup(svg.inline(drawn[entry.name], entry.name, str(escape(entry.title))))
        for entry in entries
        if entry.name in drawn and not entry.error
    }
    papers = [(paper, PAPERS[paper], list(some)) for paper, some in groupby(entries, key=lambda entry: entry.paper)]
    claims = [claim for entry in entries for claim in entry.claims]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["yaml"] = _yaml
    return environment.get_template("page.html").render(
        papers=papers,
        pictures=pictures,
        fonts=Markup(svg.font_faces(drawn.values())),
        about=about,
        machine=f"Python {about['python']} on {about['platform']}",
        verdict=counted(claims),
        failing=[entry for entry in entries if entry.status in ("FAIL", "MISSING")],
        figures=len(entries),
        computing=sum(entry.seconds for entry in entries),
        source=source,
        counted=counted,
    )


def _yaml(value: Any) -> str:
    import yaml

    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, default_flow_style=None, width=10**6)).strip()
