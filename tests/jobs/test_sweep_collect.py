"""Would catch: a `collect` that a kill, a second version of a row or a hostile file turns into lost or wrong rows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from aeos.collect import collect
from aeos.errors import BadInput
from aeos.jobs import sweep_stability
from aeos.launch import run
from aeos.results.folder import RunFolder
from tests.conftest import Said
from tests.jobs.shard_runs import computed, tables

WORDS = ["curve.points=4", "data.n=20", "data.test=10", "model.width=2", "steps=4", "every=2", "block=2", "workers=0"]


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it happens."""


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose own tables alone have two points, and one shard of two the others."""
    out = tmp_path_factory.mktemp("half")
    where = run("sweep_stability", [*WORDS, "shards=2", "shard=0", f"out={out}"]).path
    assert collect([where], None) == 1
    shutil.rmtree(where / "shards" / "0-of-2")
    run("sweep_stability", [*WORDS, "shards=2", "shard=1", f"out={out}"])
    return out


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run("sweep_stability", [*WORDS, f"out={tmp_path_factory.mktemp('whole')}"]).path


def copy(half: Path, to: Path) -> Path:
    """A copy of the run; returns its folder."""
    (folder,) = shutil.copytree(half, to).glob("sweep_stability/*")
    return folder


def content(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != ".lock"}


def killed_at(call: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Collect, killed at the so-manieth moment at which a file appears or vanishes; whether there was such a moment."""
    calls = 0

    def counted(act: Callable[..., None]) -> Callable[..., None]:
        def acts(*args: object, **options: object) -> None:
            nonlocal calls
            calls += 1
            if calls >= call:  # also what cleans up on the way out does not happen
                raise Killed
            act(*args, **options)

        return acts

    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "unlink", "rmdir", "mkdir"):
            patch.setattr(os, name, counted(getattr(os, name)))
        try:
            collect([folder], None)
        except Killed:
            return True
    return False


def test_a_kill_at_any_moment_loses_nothing(
    half: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Afterwards the same command heals it, and so does a run without shards, which computes nothing again."""
    config, call = OmegaConf.load(whole / "config.yaml"), 1
    assert isinstance(config, DictConfig)
    while killed_at(call, copy(half, tmp_path / str(call)), monkeypatch):
        (folder,) = (tmp_path / str(call)).glob("sweep_stability/*")
        twin = copy(tmp_path / str(call), tmp_path / f"{call}-twin") if call % 2 else None
        assert collect([folder], None) == 0
        assert tables(folder) == tables(whole)
        if twin:
            config.out = str(tmp_path / f"{call}-twin")
            sweep_stability.run(config, RunFolder("sweep_stability", config))
            assert not computed(twin) or len(computed(twin)) == 2  # those of the shard's own log
            assert not (twin / "run.log").exists() or "computed" not in (twin / "run.log").read_text()
            for name, rows in tables(whole).items():
                assert sorted(tables(twin)[name]) == sorted(rows)
        call += 1
    assert call > 15


def test_two_versions_of_a_row_are_told_and_nothing_changes(half: Path, tmp_path: Path) -> None:
    folder = copy(half, tmp_path / "outputs")
    twin = folder / "shards" / "0-of-9"
    twin.mkdir()
    (own, other) = (folder / "points.csv", twin / "points.csv")
    header, first, *_ = own.read_text().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True))
    wrong = cells | {"slope_error": "0.125", "wall_time": "7.0"}
    other.write_text("\n".join([header, ",".join(wrong.values()), ""]))
    before = content(folder)
    with pytest.raises(BadInput) as caught:
        collect([folder], None)
    for part in (str(other), f"beta={cells['beta']} gamma={cells['gamma']} seed=0", "slope_error=0.125", str(own)):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert content(folder) == before
    other.write_text("\n".join([header, ",".join((cells | {"wall_time": "7.0"}).values()), ""]))
    assert collect([folder], None) == 0


@pytest.mark.parametrize("damage", [b"\xff\n", b"a,b\n1,2\n", None, b'"\n', b"\0\n"])
def test_a_damaged_table_is_named(damage: bytes | None, half: Path, tmp_path: Path) -> None:
    folder = copy(half, tmp_path / "outputs")
    file = folder / "shards" / "1-of-2" / "points.csv"
    file.write_bytes(damage or file.read_bytes().replace(b"finished", b"finished,1"))
    before = content(folder)
    with pytest.raises(BadInput, match=r"1-of-2.points\.csv"):
        collect([folder], None)
    assert content(folder) == before


def test_a_config_that_is_none_is_named(half: Path, tmp_path: Path, aeos: Callable[..., Said]) -> None:
    folder = copy(half, tmp_path / "outputs")
    for text in ("{}", "curve: 3", "curve: {name: normal, points: many}", "seed: ${oc.env:HOME}\ncurve: {name: grid}"):
        (folder / "config.yaml").write_text(text)
        said = aeos("collect", str(folder))
        assert (said.code, said.err.count("\n"), "config.yaml" in said.err) == (2, 1, True), said
