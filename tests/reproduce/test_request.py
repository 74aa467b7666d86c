"""Would catch: a word of `aeos reproduce` that means other figures or runs than it says, or is taken without a word."""

from __future__ import annotations

import pytest

from aeos.errors import BadInput
from aeos.figures.papers import PAPERS
from aeos.figures.registry import FigureConfig, figures
from aeos.problems.data.downloaded import SETS
from aeos.reproduce.request import ON_DISK, Request, read


def test_all_is_every_figure_in_the_order_of_the_papers() -> None:
    asked = read(["all"]).figures
    assert {figure.name for figure in asked} == set(figures())
    papers = list(dict.fromkeys(figure.paper for figure in asked))
    assert papers == [paper for paper in PAPERS if paper in papers]
    assert {"2411.05746", "2411.15958", "talk", "2410.24206", "2207.14484", "own"} <= {*papers}


def test_papers_and_figures_add_up_each_once() -> None:
    names = [figure.name for figure in read(["2411.15958", "weak_order", "stability_region"]).figures]
    assert names[0] == "stability_region"
    assert names.count("weak_order") == 1
    assert set(names) - {"stability_region"} == {n for n, figure in figures().items() if figure.paper == "2411.15958"}


def test_the_scale_chooses_the_runs() -> None:
    for scale in ("quick", "full", "paper"):
        (figure,) = read(["adam_sde_networks", f"scale={scale}"]).figures
        assert figure.overrides == figures()["adam_sde_networks"].at(scale).overrides
    assert read(["adam_sde_networks"]).scale == "quick"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], r"^reproduce what\?"),
        (["scale=full"], r"^reproduce what\?"),
        (["stability_regoin"], "no such figure or paper .*did you mean stability_region"),
        (["2411.05747"], "no such figure or paper .*did you mean 2411.05746"),
        (["all", "scale=ful"], "^scale=ful: must be one of quick, full, paper; did you mean full"),
        (["all", "workers=0"], "^workers=0: must be a whole number >= 1"),
        (["all", "workers=two"], "^workers=two: must be"),
        (["all", "devise=cuda"], "^devise: not a setting of aeos reproduce; did you mean device"),
        (["all", "steps=3"], "^steps: not a setting of aeos reproduce; it has scale, out, workers"),
    ],
)
def test_a_word_that_means_nothing_says_so(words: list[str], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        read(words)


def figure(name: str, job: str, *overrides: tuple[str, ...]) -> FigureConfig:
    return FigureConfig(name, "T", job, overrides, "", "own", None, "training")


def test_a_run_that_two_figures_share_is_one() -> None:
    two = (figure("a", "train", ("seed=1,2",), ("steps=3",)), figure("b", "train", ("seed=2",), ("seed=2",)))
    runs = Request(two, "full", {}).runs()
    assert runs["a"] == [("train", ("seed=1",)), ("train", ("seed=2",)), ("train", ("steps=3",))]
    assert runs["b"] == [("train", ("seed=2",))]


def test_what_lies_on_disk_is_what_torchvision_reads() -> None:
    assert {*ON_DISK} == {f"data={name}" for name in SETS}


def test_settings_reach_the_runs_that_have_them() -> None:
    settings = {"out": "elsewhere", "device": "cuda", "workers": "3", "data.data_dir": "/data", "force": "true"}
    request = Request((figure("a", "train", ("data=cifar10",), ("data=digits",)),), "paper", settings)
    every = ("out=elsewhere", "device=cuda", "force=true")
    assert request.runs()["a"] == [
        ("train", ("data=cifar10", *every, "data.data_dir=/data")),
        ("train", ("data=digits", *every)),
    ]
    assert request.workers == 3
    assert str(request.out) == "elsewhere"
    assert Request((), "paper", {"device": "cuda"}).workers == 1, "an accelerator is not shared unless asked for"
