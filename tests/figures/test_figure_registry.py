"""Would catch: a figure without a function or a function without a figure, and overrides that find the wrong runs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from aeos import schema
from aeos.errors import BadInput, suggest
from aeos.figures import match, registry
from aeos.figures.match import Index, expected, select
from aeos.figures.papers import OWN, PAPERS
from aeos.figures.registry import FigureConfig, each_run, figure, figures, load_draw
from aeos.paths import PACKAGE, conf_dir
from aeos.results.read import Run, flatten
from aeos.results.schema import TABLES

NAMES = sorted(figures())


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_whole(name: str) -> None:
    config, module = figure(name), load_draw(name)
    assert config.job in schema.JOBS or (config.job is None and not config.overrides)
    assert config.title
    assert config.caption
    assert not config.title.endswith(".")
    assert config.paper in PAPERS
    assert config.number is None or config.paper != OWN
    assert callable(module.draw)
    assert callable(module.claims)
    assert {*config.scales} <= {"quick", "paper"}
    assert {*config.cost} <= {*registry.SCALES}
    assert set(module.TABLES) <= set(TABLES)
    assert bool(module.TABLES) == bool(config.job)
    first = (conf_dir() / "figure" / f"{name}.yaml").read_text().split("\n")[0]
    assert first == f"# aeos plot {name}"


def test_every_module_that_draws_belongs_to_a_figure() -> None:
    room = PACKAGE / "figures"
    files = (file.relative_to(room).with_suffix("") for file in room.rglob("*.py") if file.stem != "__init__")
    modules = {".".join(file.parts) for file in files}
    drawing = {name for name in modules if hasattr(importlib.import_module(f"aeos.figures.{name}"), "draw")}
    assert drawing == {config.module for config in figures().values()}


def test_an_unknown_figure_names_its_neighbours() -> None:
    with pytest.raises(BadInput, match=r"figure trainin: no such figure .*; did you mean training"):
        figure("trainin")
    with pytest.raises(BadInput, match=r"figure zzz: no such figure \(`aeos list` shows them all\)$"):
        load_draw("zzz")
    assert suggest("ab", ["abc", "abd"], most=2) == "; did you mean abd or abc?"


def config(*overrides: tuple[str, ...]) -> FigureConfig:
    return FigureConfig("f", "F", "sweep_stability", overrides, "", None, None, "f")


@pytest.mark.parametrize(
    ("written", "runs"),
    [
        (["steps=3", "seed=4"], (("seed=4", "optimizer=gd", "steps=3"), ("steps=3", "seed=4"))),
        ([["seed=2,3"]], (("seed=2,3",),)),
        ([["seed=2"], []], (("seed=2",), ())),
    ],
)
def test_a_scale_changes_words_of_every_run_or_has_runs_of_its_own(written: Any, runs: registry.Words) -> None:
    keys = {"title": "", "job": "train", "caption": "", "paper": None, "number": None, "module": ""}
    content = {"overrides": [["seed=1", "optimizer=gd"], ["steps=9"]], "scales": {"quick": written}, **keys}
    config = registry._config("f", content)
    assert config.at("quick").overrides == runs
    assert config.at("paper") == config.at("full") == config


def test_commands_can_be_pasted() -> None:
    assert config((), ("steps=3", "problem.spectrum=[1, 2]"), ("steps=3,4", "seed=0")).commands == [
        "aeos sweep-stability",
        "aeos sweep-stability steps=3 'problem.spectrum=[1, 2]'",
        "aeos sweep-stability -m steps=3,4 seed=0",
    ]


@pytest.mark.parametrize(
    ("job", "written", "runs"),
    [
        ("train", [], ((),)),
        ("train", None, ((),)),
        ("train", ["seed=1", "steps=2"], (("seed=1", "steps=2"),)),
        ("train", [["seed=1"], ["seed=2"]], (("seed=1",), ("seed=2",))),
        (None, [], ()),
    ],
)
def test_overrides_are_of_one_run_or_of_several(
    job: str | None, written: Any, runs: tuple[tuple[str, ...], ...]
) -> None:
    keys = {"title": "", "job": job, "caption": "", "paper": None, "number": None, "module": ""}
    assert registry._config("f", {"overrides": written, **keys}).overrides == runs


@pytest.mark.parametrize("words", [
    (),
    ("seed=1",),
    ("seed=0,1,2",),
    ("optimizer=adam,gd", "optimizer.lr=0.001,0.1"),
    ("problem.spectrum=[1,2],[3,4,5]", "steps=7", "curve.at=[[0.9,0.99],[0.5,0.6]]"),
    ("batch_size=null", "model.channels=[8,16]", "seed=3,4"),
    ("name=", "optimizer.stages=[[0.9,0.99],[0.5,0.6]],null"),
])  # fmt: skip
def test_a_multirun_has_the_runs_that_hydra_makes_of_it(words: tuple[str, ...]) -> None:
    overrides = OverridesParser.create().parse_overrides(list(words))
    (batch,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    assert [tuple(run) for run in batch] == each_run(words)


CHOICES = [
    f"{group}={file.stem}"
    for group in ("problem", "optimizer", "schedule")
    for file in sorted((conf_dir() / group).glob("*.yaml"))
]


@pytest.mark.parametrize("words", [[choice] for choice in CHOICES] + [
    ["optimizer=adamw", "optimizer.weight_decay=1e-3", "steps=5", "batch_size=null"],
    ["data=mnist5k", "model=cnn", "model.channels=[4,8]", "problem.criterion=mse", "+data.n=12"],
    ["optimizer.lr=0.5", "optimizer=gd", "dtype=float64", "force=true"],
])  # fmt: skip
def test_overrides_mean_what_they_mean_to_hydra(words: list[str]) -> None:
    schema.register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        composed = compose("train", [word.lstrip("+") for word in words])
    from omegaconf import OmegaConf

    settings = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(settings, dict)
    wanted, there = expected(words), flatten({str(key): value for key, value in settings.items()})
    assert wanted.items() <= there.items()
    assert len(wanted) >= len(words) - 1
    run = Run(Path("r"), {str(key): value for key, value in settings.items()}, {"job": "train"}, {})
    assert Index([run]).find(words) == [run]
    assert Index([run]).find([*words, "seed=7"]) == []


def test_select_reports_what_is_missing() -> None:
    there = Run(Path("a"), {"seed": 1}, {"job": "sweep_stability"}, {})
    later = Run(Path("b"), {"seed": 2}, {"job": "sweep_stability"}, {})
    wanted = config(("seed=2",), ("seed=1",))
    assert select(wanted, [there, later]) == ([later, there], [])
    assert select(wanted, [there]) == ([there], ["aeos sweep-stability seed=2"])
    assert select(config((), ("seed=1",)), [there]) == ([there], [])
    other = Run(Path("c"), {"seed": 2}, {"job": "train"}, {})
    assert select(wanted, [there, other]) == ([there], ["aeos sweep-stability seed=2"])


def test_a_multirun_is_missing_once_and_each_run_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        Run(Path(f"{k}-{lr}-{seed}"), {"optimizer": {"k": k, "lr": lr}, "seed": seed}, {"job": "sweep_stability"}, {})
        for k in range(10)
        for lr in (1e-3, 0.1)
        for seed in (0, 1)
    ]
    seen = []
    monkeypatch.setattr(match, "flatten", lambda settings: seen.append(settings) or flatten(settings))
    wanted = config(("optimizer.k=1,2,3", "optimizer.lr=1e-3,0.1", "seed=1"), ("optimizer.k=4,5", "seed=1,0"))
    found, missing = select(wanted, runs)
    lines = [f"{k}-{lr}-1" for k in (1, 2, 3) for lr in (1e-3, 0.1)]
    assert [str(run.path) for run in found] == lines + [
        f"{k}-{lr}-{seed}" for k in (4, 5) for seed in (1, 0) for lr in (1e-3, 0.1)
    ]
    assert missing == []
    assert len(seen) == len(runs)
    found, missing = select(wanted, [run for run in runs if run.config["optimizer"]["k"] > 2])
    assert missing == ["aeos sweep-stability -m optimizer.k=1,2,3 optimizer.lr=1e-3,0.1 seed=1"]
    assert str(found[0].path) == "3-0.001-1"


def test_of_runs_that_match_those_of_the_same_words_are_taken_however_these_are_written() -> None:
    def run(name: str, *words: str) -> Run:
        settings = {"optimizer": {"lr": 1e-3}, "model": {"width": 3}}
        return Run(Path(name), settings, {"job": "train", "command": ["aeos", "train", *words]}, {})

    there = [run("same", "optimizer.lr=0.001", "seed=4"), run("more", "optimizer.lr=1e-3", "model.width=3")]
    assert match.narrowest(there, ("optimizer.lr=1e-3",)) == there[:1]
    assert match.narrowest(there, ("model.width=3", "optimizer.lr=1e-3", "threads=1")) == there[1:]
    assert match.narrowest(there, ("model.width=3",)) == there
