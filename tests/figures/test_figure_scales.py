"""Would catch: a run of some figure at some scale that no command line would take, and a `quick` that is not."""

from __future__ import annotations

from functools import cache

import hydra
import pytest

from aeos import schema
from aeos.figures.registry import each_run, figures
from aeos.paths import conf_dir
from aeos.reproduce.request import Request

FIGURES = figures()
QUICK = 900  # seconds of one core in all: what 10 minutes on 2 cores leave beside starting and drawing


@cache
def check(job: str, words: tuple[str, ...]) -> None:
    schema.validate(hydra.compose(job, list(words)))


@pytest.mark.parametrize("scale", ["quick", "paper"])
@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.job])
def test_every_run_can_be_started(name: str, scale: str) -> None:
    """Of a multirun the first run and the last; those of `full` alone were done for docs/claims.md."""
    schema.register()
    figure = FIGURES[name].at(scale)
    assert figure.job
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for override in figure.overrides:
            runs = each_run(override)
            check(figure.job, runs[0])
            check(figure.job, runs[-1])


def test_every_figure_says_what_it_costs_and_quick_is_quick() -> None:
    with_runs = [figure for figure in FIGURES.values() if figure.job]
    for figure in with_runs:
        assert {"quick", "full"} <= {*figure.cost}, figure.name
        assert 0 < figure.cost["quick"] <= figure.cost["full"], figure.name
    share: dict[object, float] = {}  # of a run that several figures ask for, once
    quick = tuple(figure.at("quick") for figure in with_runs)
    for name, runs in Request(quick, "quick", {}).runs().items():
        for run in runs:
            share[run] = max(share.get(run, 0.0), FIGURES[name].cost["quick"] / len(runs))
    assert sum(share.values()) < QUICK
