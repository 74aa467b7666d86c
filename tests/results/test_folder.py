"""Run folders: the same settings find the same place, and nobody writes there unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import DictConfig

from aeos.errors import BadInput
from aeos.results.folder import RunFolder
from aeos.results.identity import digest, run_name
from aeos.results.read import NOT_IDENTITY, find, load
from tests.conftest import composed

ROW = {"step": 0, "process": "gd", "train_loss": 0.5}


def config(tmp_path: Path, *words: str) -> DictConfig:
    return composed("problem=quadratic", "optimizer=gd", f"out={tmp_path}", *words)


@pytest.mark.parametrize("word", ["name=other", "out=elsewhere", "force=true", "checkpoint_seconds=1"])
def test_what_does_not_change_the_result_does_not_change_the_hash(word: str, tmp_path: Path) -> None:
    assert word.split("=")[0] in NOT_IDENTITY
    assert digest(config(tmp_path, word)) == digest(config(tmp_path))


@pytest.mark.parametrize(
    "word", ["seed=1", "steps=7", "optimizer.lr=0.2", "problem.start=[2]", "optimizer=adam", "every=3"]
)
def test_everything_else_does(word: str, tmp_path: Path) -> None:
    assert digest(config(tmp_path, word)) != digest(config(tmp_path))


def test_where_the_data_lie_does_not_matter_but_which_they_are_does() -> None:
    mnist = composed("data=mnist", "data.data_dir=here")
    assert digest(mnist) == digest(composed("data=mnist", "data.data_dir=there", "data.download=false"))
    assert digest(mnist) != digest(composed("data=mnist", "data.n=5"))


def test_a_name_says_what_it_is() -> None:
    assert run_name(composed()).startswith("mlp-digits-adam-")
    assert run_name(composed("problem=quadratic")).startswith("quadratic-adam-")
    assert run_name(composed("name=first.try")).startswith("first.try-")


def test_only_one_writes(tmp_path: Path) -> None:
    folder = RunFolder("train", config(tmp_path))
    with folder.opened({}), pytest.raises(BadInput, match="another process"), folder.opened({}):
        pass
    with folder.opened({}):  # and it is free again
        pass


def test_a_run_continues_from_its_checkpoint_and_drops_the_rows_after_it(tmp_path: Path) -> None:
    folder = RunFolder("train", config(tmp_path))
    with folder.opened({"digest": "a"}) as recorder:
        assert recorder.restore() is None
        recorder.write("metrics", ROW)
        recorder.save({"step": 0})
        recorder.write("metrics", ROW | {"step": 1})
    with folder.opened({"digest": "a"}) as recorder:
        assert recorder.restore() == {"step": 0}
        recorder.write("metrics", ROW | {"step": 2})
    assert load(folder.path).table("metrics")["step"].tolist() == [0, 2]


def test_it_does_not_continue_on_other_data_nor_with_another_number_of_threads(tmp_path: Path) -> None:
    folder = RunFolder("train", config(tmp_path))
    assert folder.threads is None
    with folder.opened({"digest": "a"}, threads=3) as recorder:
        recorder.save({})
    assert folder.threads == 3
    with pytest.raises(BadInput, match=r"digest.*force=true"), folder.opened({"digest": "b"}):
        pass


def test_it_is_finished_only_once_it_says_so_and_force_starts_over(tmp_path: Path) -> None:
    folder = RunFolder("train", config(tmp_path), ["aeos", "train"])
    with folder.opened({}) as recorder:
        recorder.write("metrics", ROW)
        recorder.save({})
        assert folder.finished is None
        recorder.finish({"status": "finished", "steps": 0})
    assert folder.finished == {"status": "finished", "steps": 0}
    assert [run.path for run in find(tmp_path)] == [folder.path]
    (folder.path / "done.json").unlink()
    assert folder.finished is None
    assert not load(folder.path).finished
    again = RunFolder("train", config(tmp_path, "force=true"))
    assert again.path == folder.path
    with again.opened({"digest": "new"}) as recorder:
        assert recorder.restore() is None
        assert not list(folder.path.glob("*.csv"))
    assert json.loads((folder.path / "env.json").read_text())["data"] == {"digest": "new"}
