"""Hydra's words: which are its options, which are overrides, and what each run of a multirun gets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob

from aeos import schema
from aeos.complaints import one_line
from aeos.errors import BadInput, suggest
from aeos.paths import conf_dir

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
#: Hydra's options: None where no value follows, else the values it takes, () for any.
FLAGS: dict[str, tuple[str, ...] | None] = {
    **dict.fromkeys(("--multirun", "-m", "--run", "-r", "--resolve", "--hydra-help", "--version")),
    **dict.fromkeys(("--package", "-p", "--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn"), ()),
    **dict.fromkeys(("--cfg", "-c"), ("job", "hydra", "all")),
    **dict.fromkeys(("--info", "-i"), INFO),
}
MULTIRUN = {"-m", "--multirun"}


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
    if MULTIRUN & {*options} and {*options} & {"-c", "--cfg", "-i", "--info"}:
        raise BadInput("-m and --cfg do not go together: print one config at a time, without -m")
    return options, overrides


def check_every_run(job: str, words: Sequence[str]) -> None:
    """Compose and validate each run of a sweep before the first one starts: a misspelt last value costs nothing."""
    if any("hydra/sweeper" in word for word in words):
        return  # another sweeper than Hydra's own makes other runs of these words
    try:
        overrides = OverridesParser.create().parse_overrides(list(words))
        if any(isinstance(override.value(), Glob) for override in overrides):
            return
        choices = [
            [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
            if override.is_sweep_override()
            else [override.input_line or ""]
            for override in overrides
        ]
        with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
            for combination in itertools.product(*choices):
                schema.validate(hydra.compose(job, list(combination)))
    except Exception as error:
        raise one_line(error, job) from error
