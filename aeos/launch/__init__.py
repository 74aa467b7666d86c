"""The only room that knows both Typer's leftovers and Hydra: words in, a job run or one line of complaint out."""

from __future__ import annotations

from collections.abc import Sequence

from aeos import schema
from aeos.complaints import one_line
from aeos.errors import BadInput
from aeos.launch import workers
from aeos.launch.compose import Composer, composing
from aeos.launch.many import run_each
from aeos.launch.printed import print_config, print_info
from aeos.launch.task import task
from aeos.launch.words import MULTIRUN, PRINTING, in_order, sorted_out, value_of
from aeos.results.folder import RunFolder


def launch(job: str, words: Sequence[str]) -> None:
    """Run what `words` say of conf/<job>.yaml: one run, many with -m, or print the config with --cfg and --info.

    Raises BadInput for anything wrong with them, before anything is written to disk. In a multirun a run that fails
    says so and the others go on; the first failure is raised at the end.
    """
    _register()
    try:
        options, overrides = in_order(job, words)
        told, ours = sorted_out(overrides)
        with composing(job, options, told) as compose:
            if MULTIRUN & {*options}:
                run_each(compose, ours)
            elif value_of(options, "--cfg", "-c"):
                print_config(compose.whole(ours), options)
            elif PRINTING & {*options}:
                compose(ours)
            else:
                _one(compose, ours)
        if PRINTING & {*options} and not value_of(options, "--cfg", "-c"):
            print_info(job, options, overrides)
    except Exception as error:
        raise one_line(error, job) from error


def run(job: str, words: Sequence[str]) -> RunFolder:
    """One run, for whoever starts many. Returns where it is.

    Raises BadInput for anything wrong with the words, before anything is written to disk.
    """
    _register()
    try:
        told, ours = sorted_out(words)
        with composing(job, [], told) as compose:
            return _one(compose, ours)
    except Exception as error:
        raise one_line(error, job) from error


def _one(compose: Composer, words: Sequence[str]) -> RunFolder:
    config = compose(words)
    if config.get("launch") is not None and config.launch.get("name", "here") != "here":
        raise BadInput(f"launch={config.launch.name}: is for many runs: add -m, or leave it out")
    return task(config, words)


def _register() -> None:
    schema.register()
    workers.register()
