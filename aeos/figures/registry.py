"""Which figures there are: one file conf/figure/<name>.yaml each, and the module that draws it. No Matplotlib here."""

from __future__ import annotations

import importlib
import itertools
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import yaml

from aeos.errors import BadInput, suggest
from aeos.figures.claims import Claim
from aeos.figures.papers import OWN
from aeos.paths import conf_dir
from aeos.results.read import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SCALES = ("quick", "full", "paper")

Words = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class FigureConfig:
    """conf/figure/<name>.yaml. `module` edge.zoom is figures/edge/zoom.py.

    `overrides`: one list of words a run; a list with words such as seed=0,1,2 stands for all their combinations, and is
    one multirun. `job` null, without overrides: a figure of theory alone. These are the runs of scale `full`; `scales`
    says what is otherwise at `quick` and `paper`: words that take the place of every run's own, or lists of words, runs
    of their own. `cost`: seconds of one core by scale, measured; without `paper`, those runs want an accelerator.
    """

    name: str
    title: str
    job: str | None
    overrides: Words
    caption: str
    paper: str  # a key of PAPERS
    number: str | None  # the paper's own number for it
    module: str
    scales: Mapping[str, Words] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)

    def at(self, scale: str) -> FigureConfig:
        """This figure with the runs of that scale; those of `full` where the scale has none of its own."""
        return replace(self, overrides=self.scales.get(scale, self.overrides))

    def costs(self, scale: str) -> str:
        """`12 s`, `3 min`, or `unknown`: of one core."""
        if not self.job:
            return "no runs"
        if scale not in self.cost:
            return "unknown" if scale in self.scales or not self.cost else self.costs("full")
        seconds = self.cost[scale]
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"

    @property
    def commands(self) -> list[str]:
        """The command lines that make its runs: one a list of overrides, in order."""
        start = ["aeos", (self.job or "").replace("_", "-")]
        return [shlex.join(start + ["-m"] * (len(each_run(words)) > 1) + [*words]) for words in self.overrides]


class Drawing(Protocol):
    """What a figure's module holds. `draw` gets one label a run; all of its `TABLES` must be there to draw from."""

    TABLES: Sequence[str]

    def draw(self, runs: Sequence[Run], labels: Sequence[str]) -> Figure: ...

    def claims(self, runs: Sequence[Run]) -> list[Claim]: ...


def figures() -> dict[str, FigureConfig]:
    """Every figure by its name, in alphabetical order."""
    return {name: _read(file) for name, file in _files().items()}


def figure(name: str) -> FigureConfig:
    """Raises BadInput, with the closest names, when there is no such figure."""
    known = _files()
    if name not in known:
        raise BadInput(f"figure {name}: no such figure (`aeos list` shows them all){suggest(name, known, most=3)}")
    return _read(known[name])


def load_draw(name: str) -> Drawing:
    """The module that draws this figure, imported now. Raises BadInput when there is no such figure."""
    return cast(Drawing, importlib.import_module(f"aeos.figures.{figure(name).module}"))


def each_run(words: Sequence[str]) -> list[tuple[str, ...]]:
    """["k=1,2", "x=[3,4]"] → [("k=1", "x=[3,4]"), ("k=2", "x=[3,4]")]: the words of each run, in Hydra's order."""
    split = [word.partition("=") for word in words]
    return list(itertools.product(*([f"{key}{sign}{one}" for one in _values(text)] for key, sign, text in split)))


def _values(text: str) -> list[str]:
    """Parted at the commas that no bracket encloses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[{(") - (letter in ")}]")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _files() -> dict[str, Path]:
    return {file.stem: file for file in sorted((conf_dir() / "figure").glob("*.yaml"))}


def _read(file: Path) -> FigureConfig:
    return _config(file.stem, yaml.safe_load(file.read_text(encoding="utf-8")))


def _config(name: str, content: dict[str, Any]) -> FigureConfig:
    overrides = content.pop("overrides") or ([[]] if content["job"] else [])
    lists = [overrides] if overrides and isinstance(overrides[0], str) else overrides
    full = tuple(map(tuple, lists))
    scales = {scale: _scaled(full, words) for scale, words in content.pop("scales", {}).items()}
    content["paper"] = content["paper"] or OWN
    return FigureConfig(name=name, overrides=full, scales=scales, **content)


def _scaled(full: Words, words: Sequence[Any]) -> Words:
    """Runs of their own, or the full ones with these words in the place of those that set the same keys."""
    if not all(isinstance(word, str) for word in words):
        return tuple(map(tuple, words))
    return tuple(tuple({word.partition("=")[0]: word for word in (*run, *words)}.values()) for run in full)
