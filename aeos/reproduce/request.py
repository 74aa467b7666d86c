"""From the words after `aeos reproduce` to figures, a scale, and settings that all runs get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aeos.errors import BadInput, suggest
from aeos.figures.papers import PAPERS, place
from aeos.figures.registry import SCALES, FigureConfig, each_run, figures
from aeos.processes import cores

#: What may be set beside the scale; all but `workers` are settings of the runs.
SETTINGS = ("out", "workers", "device", "data.data_dir", "data.download", "force")
#: Data sets that torchvision reads: the only ones with a place on disk.
ON_DISK = ("data=mnist", "data=fashion_mnist", "data=cifar10")

Key = tuple[str, tuple[str, ...]]  # one run: its job and its words


@dataclass(frozen=True)
class Request:
    """What was asked for. `figures` have the runs of that scale."""

    figures: tuple[FigureConfig, ...]
    scale: str
    settings: dict[str, str]

    @property
    def out(self) -> Path:
        return Path(self.settings.get("out", "outputs"))

    @property
    def workers(self) -> int:
        """As set, else one a core; one where all would share an accelerator."""
        if "workers" in self.settings:
            return int(self.settings["workers"])
        return cores() if self.settings.get("device", "cpu") == "cpu" else 1

    def runs(self) -> dict[str, list[Key]]:
        """By figure, in the order of its overrides; a run that several figures ask for in the same words is one key."""
        return {figure.name: list(dict.fromkeys(self._keys(figure))) for figure in self.figures}

    def _keys(self, figure: FigureConfig) -> list[Key]:
        every = [f"{key}={self.settings[key]}" for key in ("out", "device", "force") if key in self.settings]
        data = [f"{key}={self.settings[key]}" for key in ("data.data_dir", "data.download") if key in self.settings]
        lists = [words for override in figure.overrides for words in each_run(override)]
        return [(figure.job or "", (*words, *every, *(data if {*ON_DISK} & {*words} else ()))) for words in lists]


def read(words: Sequence[str]) -> Request:
    """Raises BadInput for a word that is no figure, paper, scale or setting, and when nothing is asked for."""
    known, settings = figures(), {}
    names: list[str] = []
    for word in words:
        key, sign, value = word.partition("=")
        if sign:
            settings[key] = _checked(key, value)
        else:
            names += _named(word, known)
    if not names:
        raise BadInput("reproduce what? Give figures, papers or `all` (`aeos list figures` shows them)")
    scale = settings.pop("scale", SCALES[0])
    chosen = sorted({*names}, key=lambda name: (place(known[name].paper), name))
    return Request(tuple(known[name].at(scale) for name in chosen), scale, settings)


def _named(word: str, known: dict[str, FigureConfig]) -> list[str]:
    if word == "all":
        return list(known)
    if word in known:
        return [word]
    if found := [name for name, figure in known.items() if figure.paper == word]:
        return found
    hint = suggest(word, [*known, *PAPERS, "all"], most=3)
    raise BadInput(f"{word}: no such figure or paper (`aeos list figures` shows them){hint}")


def _checked(key: str, value: str) -> str:
    if key == "scale" and value not in SCALES:
        raise BadInput(f"scale={value}: must be one of {', '.join(SCALES)}{suggest(value, SCALES)}")
    if key == "workers" and not (value.isdecimal() and int(value)):
        raise BadInput(f"workers={value}: must be a whole number >= 1")
    if key not in ("scale", *SETTINGS):
        accepted = ", ".join(("scale", *SETTINGS))
        raise BadInput(f"{key}: not a setting of aeos reproduce{suggest(key, SETTINGS)}; it has {accepted}")
    return value
