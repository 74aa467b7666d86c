"""Would catch: a table over many runs that mixes them up, takes one twice, or hides that two copies differ."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from aeos.launch import run
from tests.conftest import Said

SMALL = ("data.n=30", "data.test=10", "batch_size=10", "steps=4", "every=2", "model.width=4")
Aeos = Callable[..., Said]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs of `aeos train`, in which optimizers and seeds differ."""
    out = tmp_path_factory.mktemp("trained")
    for optimizer in ("adam", "gd"):
        for seed in (0, 1):
            run("train", [f"optimizer={optimizer}", f"seed={seed}", *SMALL, f"out={out}"])
    return out


@pytest.fixture
def outputs(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "outputs")


def test_a_multirun_becomes_one_tidy_table(aeos: Aeos, outputs: Path) -> None:
    said = aeos("collect", "outputs", "--to", "tables")
    assert (said.code, said.err, said.out) == (0, "", "tables/metrics.csv\n")
    table = pd.read_csv("tables/metrics.csv")
    assert table.columns[:2].tolist() == ["run", "finished"]
    assert {"optimizer.name", "seed"} < set(table)
    assert not {"steps", "name", "out", "job", "data.n", "launch"} & set(table)
    assert len(table) == 4 * 3
    assert table["finished"].all()
    for name, rows in table.groupby("run"):
        (folder,) = outputs.glob(f"train/{name}")
        own = pd.read_csv(folder / "metrics.csv")
        pd.testing.assert_frame_equal(rows[own.columns].reset_index(drop=True), own, check_dtype=False)
        optimizer = json.loads((folder / "env.json").read_text())["command"]
        assert f"optimizer={rows['optimizer.name'].iloc[0]}" in optimizer
        assert f"seed={rows['seed'].iloc[0]}" in optimizer


def test_copies_count_once_also_unfinished_or_renamed(aeos: Aeos, outputs: Path, tmp_path: Path) -> None:
    aeos("collect", "outputs", "--to", "tables")
    one = sorted(outputs.glob("train/*"))[0]
    away = shutil.copytree(one, tmp_path / "away" / "copy")
    (away / "done.json").unlink()
    file = away / "metrics.csv"
    file.write_text(file.read_text()[:-9])
    again = aeos("collect", "outputs/train", "away", "outputs", "--to", "again")
    assert again.code == 0
    assert Path("again/metrics.csv").read_text() == Path("tables/metrics.csv").read_text()
    said = aeos("collect", "away", "--to", "alone")
    assert said.code == 0
    alone = pd.read_csv("alone/metrics.csv")
    assert (alone["finished"].any(), alone["step"].tolist()) == (False, [0, 2])


def test_copies_that_differ_are_told_and_nothing_is_written(aeos: Aeos, outputs: Path, tmp_path: Path) -> None:
    one = sorted(outputs.glob("train/*"))[0]
    away = shutil.copytree(one, tmp_path / "away" / "train" / one.name)
    header, first, *rest = (away / "metrics.csv").read_text().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True)) | {"grad_norm": "0.5"}
    (away / "metrics.csv").write_text("\n".join([header, ",".join(cells.values()), *rest, ""]))
    said = aeos("collect", "outputs", "away", "--to", "tables")
    assert (said.code, said.err.count("\n")) == (2, 1)
    for part in (f"{one.name}/metrics.csv", "step=0", "process=", "grad_norm=0.5"):
        assert part in said.err
    assert not Path("tables").exists()


def test_other_jobs_are_told_apart_and_keys_of_a_table_keep_their_names(aeos: Aeos, outputs: Path) -> None:
    sweep = ("curve.points=2", "seeds=2", "data.n=20", "data.test=10", "model.width=2", "steps=4", "workers=0")
    for seed in (0, 5):
        assert aeos("sweep-stability", *sweep, f"seed={seed}", "shards=1", "shard=0").code == 0
    assert aeos("sharpness", *SMALL, "batch_size=null").code == 0
    assert aeos("collect", "outputs", "--to", "tables").code == 0
    metrics, points = pd.read_csv("tables/metrics.csv"), pd.read_csv("tables/points.csv")
    assert set(metrics["job"]) == {"train", "sharpness"}
    assert points.groupby("run.seed")["seed"].unique().map(list).to_dict() == {0: [0, 1], 5: [5, 6]}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "run folder"),
        (["nowhere"], "nowhere"),
        (["outputs"], "--to"),
        (["outputs/train"], "--to"),
        (["RUN"], "--to"),
        (["outputs", "--to", "RUN"], "--to"),
        (["outputs", "--to", "/dev/null/x"], "--to"),
        ([".", "--to", "tables"], "."),
    ],
)
def test_what_cannot_be_collected(words: list[str], named: str, aeos: Aeos, outputs: Path) -> None:
    one = str(sorted(outputs.glob("train/*"))[0])
    before = {file: file.read_bytes() for file in outputs.rglob("*") if file.is_file()}
    said = aeos("collect", *(one if word == "RUN" else word for word in words))
    assert (said.code, said.err.count("\n"), said.out) == (2, 1, "")
    assert named in said.err
    assert {file: file.read_bytes() for file in outputs.rglob("*") if file.is_file()} == before
