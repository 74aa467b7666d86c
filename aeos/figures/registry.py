"""Which figures there are: one file conf/figure/<name>.yaml each, and the module that draws it. No Matplotlib here."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import yaml

from aeos.errors import BadInput, suggest
from aeos.figures.claims import Claim
from aeos.paths import conf_dir
from aeos.results.read import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FigureConfig:
    """conf/figure/<name>.yaml. `overrides`: one list of words a run; `module` edge.zoom is figures/edge/zoom.py."""

    name: str
    title: str
    job: str
    overrides: tuple[tuple[str, ...], ...]
    caption: str
    paper: str | None  # arXiv id
    number: str | None  # the paper's own number for it
    module: str

    @property
    def commands(self) -> list[str]:
        """The command lines that make its runs, in order."""
        return [shlex.join(["aeos", self.job.replace("_", "-"), *words]) for words in self.overrides]


class Drawing(Protocol):
    """What a figure's module holds. `draw` gets one label a run; all of its `TABLES` must be there to draw from."""

    TABLES: Sequence[str]

    def draw(self, runs: Sequence[Run], labels: Sequence[str]) -> Figure: ...

    def claims(self, runs: Sequence[Run]) -> list[Claim]: ...


def figures() -> dict[str, FigureConfig]:
    """Every figure by its name, in alphabetical order."""
    files = sorted((conf_dir() / "figure").glob("*.yaml"))
    return {file.stem: _config(file.stem, yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files}


def figure(name: str) -> FigureConfig:
    """Raises BadInput, with the closest names, when there is no such figure."""
    known = figures()
    if name not in known:
        raise BadInput(f"figure {name}: no such figure (`aeos list` shows them all){suggest(name, known, most=3)}")
    return known[name]


def load_draw(name: str) -> Drawing:
    """The module that draws this figure, imported now. Raises BadInput when there is no such figure."""
    return cast(Drawing, importlib.import_module(f"aeos.figures.{figure(name).module}"))


def _config(name: str, content: dict[str, Any]) -> FigureConfig:
    overrides = content.pop("overrides") or [[]]
    runs = [overrides] if isinstance(overrides[0], str) else overrides
    return FigureConfig(name=name, overrides=tuple(map(tuple, runs)), **content)
