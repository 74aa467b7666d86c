"""Hydra's words: which are its options, which are overrides, and what each run of a multirun gets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType

from aeos.errors import BadInput, suggest

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
#: Hydra's options: None where no value follows, else the values it takes, () for any.
FLAGS: dict[str, tuple[str, ...] | None] = {
    **dict.fromkeys(("--multirun", "-m", "--run", "-r", "--resolve", "--hydra-help", "--version")),
    **dict.fromkeys(("--package", "-p", "--config-dir", "-cd", "--config-name", "-cn"), ()),
    **dict.fromkeys(("--cfg", "-c"), ("job", "hydra", "all")),
    **dict.fromkeys(("--info", "-i"), INFO),
}
MULTIRUN = {"-m", "--multirun"}
PRINTING = {"-c", "--cfg", "-i", "--info", "--hydra-help", "--version"}
#: What a user may tell Hydra: which of its plugins to use, and one plain value of a setting that the plugin has.
PLUGIN = re.compile(r"hydra/(launcher|sweeper)(/[a-z]\w*)*", re.ASCII)
SETTING = re.compile(r"hydra\.(launcher|sweeper)(\.[a-z]\w*)+", re.ASCII)
PLAIN = re.compile(r"[\w.,:/@%+=-]*", re.ASCII)


def in_order(job: str, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(options with their values, overrides), each in the order given: Hydra wants its options together.

    Raises BadInput for options it does not know, that lack their value, or that it cannot combine.
    """
    options, overrides, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        flag, given, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if flag in FLAGS:
            options.append(flag)
            values = FLAGS[flag]
            if values is None:
                continue
            if values is INFO and not given and not {*rest[:1]} & {*INFO}:
                value = "all"
            elif not given and rest:
                value = rest.pop(0)
            if not value or (values and value not in values):
                raise BadInput(f"{flag} {value}: needs one of {', '.join(values) or 'a value'} after it")
            options.append(value)
        elif word.startswith("-"):
            explains = f"`aeos {job.replace('_', '-')} --help` explains"
            raise BadInput(f"{word}: no such option{suggest(flag, FLAGS)}; {explains}")
        else:
            overrides.append(word)
    if MULTIRUN & {*options} and PRINTING & {*options}:
        raise BadInput("-m and --cfg do not go together: print one config at a time, without -m")
    if "--resolve" in options and not {*options} & {"-c", "--cfg"}:
        raise BadInput("--resolve: goes with --cfg")
    return options, overrides


def value_of(options: Sequence[str], *flags: str) -> str | None:
    """What follows the last of these flags."""
    return next((value for flag, value in reversed([*itertools.pairwise(options)]) if flag in flags), None)


def sorted_out(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(words for Hydra itself, all others). Raises BadInput for what only aeos tells Hydra."""
    told, ours = [], []
    for override in parsed(words):
        to_hydra = re.split(r"[./]", override.key_or_group)[0] == "hydra"
        if to_hydra or (override.package or "").split(".")[0] in ("hydra", "_global_"):
            if not _may_be_told(override):
                raise BadInput(
                    f"{override.input_line}: not for a word to set; Hydra may be told hydra/launcher=NAME, "
                    "hydra/sweeper=NAME and hydra.launcher.KEY=VALUE, VALUE one number or word"
                )
            told.append(str(override.input_line))
        else:
            ours.append(str(override.input_line))
    return told, ours


def _may_be_told(override: Override) -> bool:
    key, value = override.key_or_group, override.value()
    change = override.type is OverrideType.CHANGE and override.package is None
    return bool(
        change
        and (PLUGIN.fullmatch(key) or SETTING.fullmatch(key))
        and not key.startswith("hydra.sweeper.params")
        and (value is None or isinstance(value, (int, float)) or (isinstance(value, str) and PLAIN.fullmatch(value)))
    )


def parsed(words: Sequence[str], loader: ConfigLoader | None = None) -> list[Override]:
    """Hydra's own reading of them; a `loader` of configs lets them say glob(…)."""
    return OverridesParser.create(config_loader=loader).parse_overrides(list(words))


def each_run(words: Sequence[str], loader: ConfigLoader) -> Iterator[list[str]]:
    """The words of each run of a multirun, in Hydra's order."""
    choices: dict[str, list[str]] = {}
    for override in parsed(words, loader):
        key = override.get_key_element()
        if override.is_discrete_sweep():
            choices[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
        elif override.is_sweep_override():
            raise BadInput(f"{override.input_line}: an interval has no end of values; give choices or range(…)")
        else:
            choices[key] = [str(override.input_line)]
    yield from map(list, itertools.product(*choices.values()))
