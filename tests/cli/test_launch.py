"""Would catch runs of a multirun that get lost, stay silent, or differ by who runs them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from aeos import schema
from aeos.launch.many import _launcher
from aeos.results.read import identity
from aeos.schema.launch import LAUNCHES, Joblib, Ray, Slurm, Workers
from tests.conftest import Said, composed

TINY = ("problem=teacher", "steps=20")


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    files = folder.glob("outputs/train/*/metrics.csv")
    return {file.parent.name: pd.read_csv(file).drop(columns="wall_time") for file in files}


def test_workers_do_what_one_process_does_and_a_failing_run_ends_no_other(
    aeos: Callable[..., Said], aeos_process: Callable[..., Said], tmp_path: Path
) -> None:
    words = ("train", "-m", "optimizer=gd,adam", *TINY, "batch_size=null,9999")
    said = aeos_process(*words, "launch=workers", "launch.workers=2")
    assert said.code == 2
    assert [line[:22] for line in said.err.splitlines()] == ["aeos: batch_size=9999:"] * 2
    got = tables(tmp_path)
    (tmp_path / "outputs").rename(tmp_path / "there")
    assert aeos(*words).code == 2
    expected = tables(tmp_path)
    assert expected.keys() == got.keys()
    assert len(got) == 2
    for name, table in expected.items():
        pd.testing.assert_frame_equal(got[name], table, check_exact=True)
    assert {path.name for path in tmp_path.iterdir()} == {"outputs", "there"}


@pytest.mark.parametrize("name", ["joblib", "ray"])
def test_a_plugin_that_is_missing_is_named_with_the_command_that_gets_it(
    name: str, aeos: Callable[..., Said], tmp_path: Path
) -> None:
    said = aeos("train", "-m", "seed=0,1", *TINY, f"launch={name}")
    assert (said.code, said.err) == (2, f'aeos: launch={name}: not installed: pip install "aeos[{name}]"\n')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("launch=workers", "add -m"),
        ("-m launch=slurm", "srun"),
        ("-m launch=workers launch.workers=0", "launch.workers"),
        ("-m launch=workers launch.workers=1,2", "one launcher"),
        ("-m launch=here,joblib", "one launcher"),
        ("-m launch=slurm launch.minutes=0", "launch.minutes"),
        ("-m launch=slurm launch.qos=[a]", "launch.qos"),
        ("-m launch=slrum", "slurm"),
        ("-m hydra/launcher=submitit_local", "aeos[slurm]"),
    ],
)
def test_what_cannot_be_launched(words: str, named: str, aeos: Callable[..., Said], tmp_path: Path) -> None:
    said = aeos("train", *TINY, *words.split())
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert named in said.err
    assert list(tmp_path.iterdir()) == []


def test_who_runs_it_is_no_part_of_what_it_computes() -> None:
    plain = OmegaConf.to_container(composed())
    assert isinstance(plain, dict)
    for choice in LAUNCHES:
        assert identity({**plain, "launch": dataclasses.asdict(choice())}) == identity({**plain, "launch": None})


def test_what_hydra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    schema.register()

    def told(choice: object) -> set[str]:
        return {*_launcher(OmegaConf.create({"launch": OmegaConf.structured(choice)}))}

    assert told(Workers(workers=3)) == {"hydra/launcher=workers", "hydra.launcher.workers=3"}
    assert told(Joblib(workers=3)) == {"hydra/launcher=joblib", "hydra.launcher.n_jobs=3"}
    assert any("address:'head:6379'" in word for word in told(Ray(address="head:6379")))
    slurm = told(Slurm(partition="gpu", gpus=1, minutes=90, retries=5, parallel=8, memory_gb=16))
    assert slurm >= {f"hydra.launcher.{word}" for word in (
        "partition=gpu", "gpus_per_node=1", "timeout_min=90", "max_num_timeout=5", "array_parallelism=8", "mem_gb=16",
        "submitit_folder=${out}/.slurm/%j",
    )}  # fmt: skip
    assert not any("qos" in word or "account" in word for word in slurm)


def test_one_failing_run_of_a_sweep_says_so_and_the_others_finish(aeos: Callable[..., Said], tmp_path: Path) -> None:
    said = aeos("train", "-m", "data.n=50,5000,60", "batch_size=10", "steps=2")
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert "data.n" in said.err
    assert len(list(tmp_path.glob("outputs/train/*/done.json"))) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"outputs"}
