"""The only room that knows both Typer's leftovers and Hydra: words in, a job run or one line of complaint out."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from aeos import schema
from aeos.complaints import one_line
from aeos.errors import report
from aeos.launch.task import task
from aeos.launch.words import MULTIRUN, check_every_run, in_order
from aeos.paths import conf_dir
from aeos.results.folder import RunFolder


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

    with _prepared(job, *in_order(job, words)):
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


@contextmanager
def _prepared(job: str, options: Sequence[str], overrides: Sequence[str]) -> Iterator[None]:
    """Hydra reads sys.argv, hides tracebacks of its own unless asked, and wants a folder for its multirun notes."""
    argv, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    with tempfile.TemporaryDirectory(prefix="aeos-") as notes:
        sys.argv = [f"aeos {job.replace('_', '-')}", *options, *overrides]
        if MULTIRUN & {*options}:
            if {*options} <= MULTIRUN:  # with a config folder of the user's, Hydra itself finds out, run by run
                check_every_run(job, overrides)
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
