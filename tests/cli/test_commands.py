"""What a user types and what comes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from aeos.paths import conf_dir, groups
from tests.conftest import Said

SMALL = ("data.n=60", "data.test=20", "batch_size=20", "steps=6", "every=3")


def loaded_after(code: str) -> set[str]:
    program = f"import sys; {code}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_help_imports_nothing_heavy_and_is_quick() -> None:
    main = "from aeos import cli; sys.argv = ['aeos', '--help']\ntry: cli.main()\nexcept SystemExit: pass\n"
    program = f"import sys\n{main}print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "hydra", "omegaconf", "pandas", "matplotlib"} & set(done.stdout.splitlines()[-1].split())


def test_composing_and_checking_a_config_imports_no_torch() -> None:
    compose = (
        "import hydra; from aeos import launch, schema; from aeos.paths import conf_dir; schema.register(); "
        "c = hydra.initialize_config_dir(str(conf_dir()), version_base='1.3'); c.__enter__(); "
        "schema.validate(hydra.compose('train'))"
    )
    assert not {"torch", "pandas", "matplotlib"} & loaded_after(compose)


def test_a_run_brings_in_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """Least of all torch's compiler, as its switch for deterministic algorithms would: it takes longest to import."""
    words = ["train", "problem=teacher", "steps=2", f"out={tmp_path}"]
    program = (
        f"import sys; from aeos import cli\nsys.argv = ['aeos', *{words}]\ntry: cli.main()\nexcept SystemExit: pass\n"
    )
    program += "print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    spared = {"torch._dynamo", "torch._inductor", "sympy", "pandas", "matplotlib", "scipy.special", "sklearn"}
    assert not spared & set(done.stdout.splitlines()[-1].split())
    assert any(tmp_path.glob("train/*/done.json"))


def test_version(aeos: Callable[..., Said]) -> None:
    said = aeos("--version")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("aeos 0.")


def test_help_of_a_job_lists_groups_and_three_examples(aeos: Callable[..., Said]) -> None:
    said = aeos("train", "--help")
    assert said.code == 0
    assert said.out.count("aeos train ") >= 3
    for group, names in groups("train").items():
        assert group in said.out
        assert names[0] in said.out


def test_a_run_leaves_what_the_design_says(aeos: Callable[..., Said], tmp_path: Path) -> None:
    said = aeos("train", *SMALL)
    assert (said.code, said.err) == (0, "")
    (run,) = tmp_path.glob("outputs/train/*")
    assert str(run.relative_to(tmp_path)) == said.out.split(":")[0]
    files = {path.name for path in run.iterdir()}
    assert files == {
        ".lock", "config.yaml", "env.json", "metrics.csv", "summary.json", "run.log", "checkpoint.pt", "done.json",
    }  # fmt: skip
    table = pd.read_csv(run / "metrics.csv")
    assert table["step"].tolist() == [0, 3, 6]
    assert table.drop(columns="max_update").notna().all(axis=None)
    assert table["max_update"].isna().tolist() == [True, False, False]
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["test_loss"] == table["test_loss"].iloc[-1]
    env = json.loads((run / "env.json").read_text())
    assert env["job"] == "train"
    assert env["command"] == ["aeos", "train", *SMALL]
    assert env["seed"] == 0
    assert env["threads"] == 1
    assert env["versions"]["torch"]
    assert yaml.safe_load((run / "config.yaml").read_text())["optimizer"]["name"] == "adam"


def test_the_same_command_does_the_work_once_and_force_does_it_again(aeos: Callable[..., Said], tmp_path: Path) -> None:
    assert aeos("train", *SMALL).code == 0
    (table,) = tmp_path.glob("outputs/train/*/metrics.csv")
    before = table.stat().st_mtime_ns
    again = aeos("train", *SMALL, "checkpoint_seconds=1")
    assert again.code == 0
    again = aeos("train", *SMALL)
    assert "finished already" in again.out
    assert table.stat().st_mtime_ns == before
    assert aeos("train", *SMALL, "force=true").code == 0
    assert table.stat().st_mtime_ns > before


def test_a_sweep_makes_one_run_a_combination_and_no_litter(aeos: Callable[..., Said], tmp_path: Path) -> None:
    words = ("train", "optimizer=adam,kadam,signsgd", "-m", "seed=0,1", *SMALL)
    said = aeos(*words)
    assert (said.code, said.err) == (0, "")
    runs = {path.parent: path.stat().st_mtime_ns for path in tmp_path.glob("outputs/train/*/done.json")}
    assert len(runs) == 6
    again = aeos(*words)
    assert again.out.count("finished already") == 6
    assert {path.parent: path.stat().st_mtime_ns for path in tmp_path.glob("outputs/train/*/done.json")} == runs
    assert {path.name for path in tmp_path.iterdir()} == {"outputs"}
    drawn = aeos("plot", *(str(run) for run in runs))
    assert (drawn.code, drawn.err) == (0, "")
    assert sorted(Path(line).suffix for line in drawn.out.splitlines()) == [".pdf", ".png", ".svg"]


def test_a_run_of_a_sweep_has_the_threads_it_would_have_alone(aeos: Callable[..., Said], tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        aeos("train", "-m", "model.width=8,512", "batch_size=500", "data.n=500", "steps=1")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    envs = [json.loads(file.read_text()) for file in tmp_path.glob("outputs/train/*/env.json")]
    assert {env["command"][2]: env["threads"] for env in envs} == {"model.width=8": 1, "model.width=512": 2}


def test_divergence_is_a_result(aeos: Callable[..., Said], tmp_path: Path) -> None:
    words = ("problem=quadratic", "problem.spectrum=[1,100]", "optimizer=gd", "optimizer.lr=10", "steps=100")
    said = aeos("train", *words)
    assert said.code == 0
    assert "diverged at step" in said.out
    (run,) = tmp_path.glob("outputs/train/*")
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "diverged"
    last = pd.read_csv(run / "metrics.csv").iloc[-1]
    assert summary["diverged_at"] == last["step"] < 100
    assert "finished already" in aeos("train", *words).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cfg", "job"], "name: adam"),
        (["--cfg", "job", "--resolve", "-p", "optimizer"], "lr: 0.001"),
        (["--info", "defaults"], "problem"),
        (["--info", "seed=1"], "adam"),
        (["seed=3", "--cfg=job", "steps=7"], "steps: 7"),
        (["optimizer.lr=0.5", "++model.width=7", "~schedule", "--cfg", "job"], "width: 7"),
    ],
)
def test_hydra_gets_its_words(words: list[str], said: str, aeos: Callable[..., Said], tmp_path: Path) -> None:
    got = aeos("train", *words)
    assert got.code == 0
    assert said in got.out
    assert list(tmp_path.iterdir()) == []


def test_a_config_folder_of_the_user(aeos: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    text = "defaults: [/schema/optimizer/adam@_here_]\nlr: 0.123\n"
    (tmp_path / "mine" / "optimizer" / "hot.yaml").write_text(text)
    said = aeos("train", "-cd", "mine", "optimizer=hot", "--cfg", "job")
    assert said.code == 0
    assert "lr: 0.123" in said.out


def test_list_names_everything_and_both_kinds_of_run(aeos: Callable[..., Said], tmp_path: Path) -> None:
    assert "none yet" in aeos("list").out
    aeos("train", *SMALL)
    aeos("train", *SMALL, "seed=1")
    (tmp_path / next(tmp_path.glob("outputs/train/*/done.json"))).unlink()
    said = aeos("list")
    assert said.code == 0
    for word in ("train", "mnist5k", "kadam", "training", "finished", "unfinished"):
        assert word in said.out


def test_completion_offers_choices_by_file_name() -> None:
    from types import SimpleNamespace

    from aeos.cli.words import complete

    nothing = SimpleNamespace(params={"overrides": None})
    assert "optimizer=kadam" in complete(nothing, "opt")
    in_bash = SimpleNamespace(params={"overrides": ["seed", "=", "1", "optimizer", "="]})
    assert complete(in_bash, "k") == ["kadam"]


def test_the_teacher_problem_brings_its_precision(aeos: Callable[..., Said]) -> None:
    said = aeos("train", "problem=teacher", "steps=2", "optimizer.lr=0.01")
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize("name", sorted(path.stem for path in conf_dir().glob("*.yaml") if path.stem != "run"))
def test_every_choice_of_every_group_composes(name: str, aeos: Callable[..., Said]) -> None:
    for group, choices in groups(name).items():
        network = ["problem=network"] if name == "sde_compare" and group in ("data", "model") else []  # not its default
        for choice in choices:
            said = aeos(name.replace("_", "-"), *network, f"{group}={choice}", "--cfg", "job")
            assert said.code == 0, said.err


def test_figures_are_listed_with_their_papers(aeos: Callable[..., Said]) -> None:
    said = aeos("plot", "--list")
    lines = dict(line.split(": ", 1) for line in said.out.splitlines())
    assert lines["max_update_slope"].endswith("(arXiv 2411.05746, Fig. 3)")
    assert lines["kadam_strategies"].endswith("(arXiv 2411.05746)")
    assert "(" not in lines["training"]
