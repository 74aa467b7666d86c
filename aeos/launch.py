"""The only module that knows both Typer's leftovers and Hydra: words in, a job run or one line of complaint out."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from aeos import schema
from aeos.complaints import one_line
from aeos.errors import BadInput, report, suggest
from aeos.paths import conf_dir
from aeos.results.folder import RunFolder

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
#: Hydra's options: None where no value follows, else the values it takes, () for any.
FLAGS: dict[str, tuple[str, ...] | None] = {
    **dict.fromkeys(("--multirun", "-m", "--run", "-r", "--resolve", "--hydra-help", "--version")),
    **dict.fromkeys(("--package", "-p", "--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn"), ()),
    **dict.fromkeys(("--cfg", "-c"), ("job", "hydra", "all")),
    **dict.fromkeys(("--info", "-i"), INFO),
}
MULTIRUN = {"-m", "--multirun"}


def launch(job: str, words: Sequence[str]) -> None:
    """Hand `words` to Hydra with conf/<job>.yaml as primary config and run what it composes.

    Raises BadInput for anything wrong with them, before anything is written to disk. In a multirun a run that fails
    says so and the others go on; the first failure is raised at the end.
    """
    schema.register()
    here, failures = os.getpid(), []

    def guarded(config: DictConfig) -> None:
        try:
            task(config, HydraConfig.get().overrides.task)
        except Exception as error:
            if os.getpid() != here:
                raise  # in a launcher's worker: the launcher carries it back
            failures.append(error)
            report(error)

    with _prepared(job, *_sorted(job, words)):
        try:
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=job)(guarded)()
        except Exception as error:
            raise one_line(error, job) from error
    if failures:
        raise failures[0]


def run(job: str, words: Sequence[str]) -> RunFolder:
    """One run, composed without Hydra's command line: for whoever starts many. Returns where it is.

    Raises BadInput for anything wrong with the words, before anything is written to disk.
    """
    schema.register()
    try:
        with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
            config = hydra.compose(job, list(words))
    except Exception as error:
        raise one_line(error, job) from error
    return task(config, words)


def task(config: DictConfig, words: Sequence[str]) -> RunFolder:
    """One composed config: check it, skip it when its run is finished, else run it. `words` are for the record."""
    job = next((name for name, node in schema.JOBS.items() if OmegaConf.get_type(config) is node), None)
    if job is None:
        raise BadInput("the primary config has no schema: begin its defaults with /schema/train@_here_")
    try:
        schema.validate(config)
    except OmegaConfBaseException as error:
        raise one_line(error, job) from error
    folder = RunFolder(job, config, ["aeos", job.replace("_", "-"), *words])
    if folder.finished and not config.force:
        print(f"{folder.path}: finished already; force=true does it again")
    else:
        importlib.import_module(f"aeos.jobs.{job}").run(config, folder)
    return folder


def _sorted(job: str, words: Sequence[str]) -> tuple[list[str], list[str]]:
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


@contextmanager
def _prepared(job: str, options: Sequence[str], overrides: Sequence[str]) -> Iterator[None]:
    """Hydra reads sys.argv, hides tracebacks of its own unless asked, and wants a folder for its multirun notes."""
    argv, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    with tempfile.TemporaryDirectory(prefix="aeos-") as notes:
        sys.argv = [f"aeos {job.replace('_', '-')}", *options, *overrides]
        if MULTIRUN & {*options}:
            if {*options} <= MULTIRUN:  # with a config folder of the user's, Hydra itself finds out, run by run
                _check_every_run(job, overrides)
            if not any(word.startswith("hydra.sweep.dir=") for word in overrides):
                sys.argv.append(f"hydra.sweep.dir={notes}")
        try:
            yield
        finally:
            sys.argv = argv
            if full is None:
                del os.environ["HYDRA_FULL_ERROR"]
            else:
                os.environ["HYDRA_FULL_ERROR"] = full


def _check_every_run(job: str, words: Sequence[str]) -> None:
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
