"""Would catch: a figure without a function or a function without a figure, and overrides that find the wrong runs."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from aeos import schema
from aeos.errors import BadInput, suggest
from aeos.figures import registry
from aeos.figures.match import expected, matches, select
from aeos.figures.registry import FigureConfig, figure, figures, load_draw
from aeos.paths import PACKAGE, conf_dir
from aeos.results.read import Run, flatten
from aeos.results.schema import TABLES

NAMES = sorted(figures())


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_whole(name: str) -> None:
    config, module = figure(name), load_draw(name)
    assert config.job in schema.JOBS
    assert config.title
    assert config.caption
    assert not config.title.endswith(".")
    assert config.paper is None or re.fullmatch(r"\d{4}\.\d{4,5}", config.paper)
    assert config.number is None or config.paper
    assert callable(module.draw)
    assert callable(module.claims)
    assert set(module.TABLES) <= set(TABLES)
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


def test_commands_can_be_pasted() -> None:
    assert config((), ("steps=3", "problem.spectrum=[1, 2]")).commands == [
        "aeos sweep-stability",
        "aeos sweep-stability steps=3 'problem.spectrum=[1, 2]'",
    ]


@pytest.mark.parametrize(
    ("written", "runs"),
    [
        ([], ((),)),
        (None, ((),)),
        (["seed=1", "steps=2"], (("seed=1", "steps=2"),)),
        ([["seed=1"], ["seed=2"]], (("seed=1",), ("seed=2",))),
    ],
)
def test_overrides_are_of_one_run_or_of_several(written: Any, runs: tuple[tuple[str, ...], ...]) -> None:
    keys = {"title": "", "job": "", "caption": "", "paper": None, "number": None, "module": ""}
    assert registry._config("f", {"overrides": written, **keys}).overrides == runs


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
    assert matches(run, "train", words)
    assert not matches(run, "train", [*words, "seed=7"])
    assert not matches(run, "other", words)


def test_select_reports_what_is_missing() -> None:
    there = Run(Path("a"), {"seed": 1}, {"job": "sweep_stability"}, {})
    later = Run(Path("b"), {"seed": 2}, {"job": "sweep_stability"}, {})
    wanted = config(("seed=2",), ("seed=1",))
    assert select(wanted, [there, later]) == ([later, there], [])
    assert select(wanted, [there]) == ([there], ["aeos sweep-stability seed=2"])
    assert select(config((), ("seed=1",)), [there]) == ([there], [])
