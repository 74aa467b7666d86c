"""Would catch: a legend that calls two settings by one name, or buries what differs among what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeos.figures.labels import labels, numbers
from aeos.results.read import Run

ADAM = {"name": "adam", "lr": 0.001, "beta1": 0.9}
GD = {"name": "gd", "lr": 0.1}


def run(job: str = "train", **settings: Any) -> Run:
    return Run(Path("r"), {"optimizer": ADAM, "seed": 0, "steps": 10} | settings, {"job": job}, None)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([run()], ["adam"]),
        ([run(seed=0), run(seed=1)], ["adam", "adam"]),
        ([run(name="a", out="x"), run(name="b", out="y", seed=3)], ["adam", "adam"]),
        ([run(), run(optimizer=GD)], ["adam", "gd"]),
        ([run(optimizer=ADAM | {"lr": 0.1}), run(optimizer=ADAM | {"lr": 1e-5})], ["lr=0.1", "lr=1e-05"]),
        ([run(), run(optimizer=ADAM | {"lr": 0.1}), run(optimizer=GD)], ["adam, lr=0.001", "adam, lr=0.1", "gd"]),
        ([run(steps=10), run(steps=20, optimizer=GD)], ["adam, steps=10", "gd, steps=20"]),
        ([run(batch_size=None), run(batch_size=32)], ["batch_size=none", "batch_size=32"]),
        ([run(data={"name": "d", "seed": 0}), run(data={"name": "d", "seed": 1})], ["data.seed=0", "data.seed=1"]),
        ([run(data={"name": "d", "n": 5}), run(data={"name": "d", "n": 6})], ["n=5", "n=6"]),
        ([run(model={"name": "m", "lr": 1}), run(model={"name": "m", "lr": 2})], ["model.lr=1", "model.lr=2"]),
        ([run(data={"name": "d", "data_dir": "x"}), run(data={"name": "d", "data_dir": "y"})], ["adam", "adam"]),
        ([run(schedule=None), run(schedule={"name": "power", "p": 0.5})], ["no schedule", "power"]),
        (
            [run(problem={"name": "quadratic"}, data=None), run(problem={"name": "network"}, data={"name": "digits"})],
            ["quadratic", "network, digits"],
        ),
        ([run(problem={"name": "q", "spectrum": [1.0, 2.5]}), run(problem={"name": "q", "spectrum": [1.0]})],
         ["spectrum=[1, 2.5]", "spectrum=[1]"]),
        ([run(flag=True), run(flag=False)], ["flag=true", "flag=false"]),
        ([run(path="$HOME"), run(path="b")], [r"path=\$HOME", "path=b"]),
        ([run("train"), run("sde_compare")], ["job=train", "job=sde_compare"]),
    ],
)  # fmt: skip
def test_labels(runs: list[Run], expected: list[str]) -> None:
    assert labels(runs) == expected


OPTIMIZERS = st.one_of(
    st.fixed_dictionaries({"name": st.just("adam"), "lr": st.floats(1e-9, 1), "beta1": st.sampled_from([0.0, 0.9])}),
    st.fixed_dictionaries({"name": st.just("gd"), "lr": st.floats(1e-9, 1)}),
)


@given(st.lists(st.builds(run, optimizer=OPTIMIZERS, steps=st.integers(0, 3), seed=st.integers(0, 2)), max_size=6))
def test_two_runs_share_a_label_only_if_they_differ_in_their_seed_alone(runs: list[Run]) -> None:
    names = labels(runs)
    for one, name in zip(runs, names, strict=True):
        for other, its in zip(runs, names, strict=True):
            assert (name == its) == (one.config | {"seed": 0} == other.config | {"seed": 0})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["lr=0.1", "lr=1e-05", "lr=3"], [0.1, 1e-5, 3.0]),
        (["lr=0.1", "n=2"], None),
        (["adam", "gd"], None),
        (["adam, lr=1", "adam, lr=2"], None),
        (["batch_size=none", "batch_size=32"], None),
    ],
)
def test_numbers(names: list[str], expected: list[float] | None) -> None:
    assert numbers(names) == expected
