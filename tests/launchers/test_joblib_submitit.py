"""Would catch a plugin's launcher that computes something else, hides a failure, or says more than a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.launchers.sweep import aeos, check_alike, check_failing

LAUNCHERS = {
    "joblib": ["launch=joblib", "launch.workers=2"],
    "submitit_local": ["hydra/launcher=submitit_local"],
    "workers": ["launch=workers", "launch.workers=2"],
}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_the_same_sweep_gives_the_same_tables(name: str, tmp_path: Path) -> None:
    check_alike(tmp_path / "here", tmp_path / "there", *LAUNCHERS[name])


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_failing_run_says_so_in_one_line_and_the_others_finish(name: str, tmp_path: Path) -> None:
    check_failing(tmp_path / "runs", *LAUNCHERS[name])


def test_a_worker_of_joblib_that_is_killed_is_one_line(tmp_path: Path) -> None:
    """`kill` in place of the run, in the worker alone."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if any('loky' in word for word in sys.argv + sys.orig_argv):\n"
        "    import importlib, os, signal\n"
        "    importlib.import_module = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = ("train", "-m", "seed=0,1", "problem=quadratic", "optimizer=gd", "launch=joblib", "launch.workers=2")
    said = aeos(tmp_path, *words, PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[2]}")
    assert said.returncode == 2, said
    assert said.stderr.startswith("aeos: launch=joblib: ")
    assert said.stderr.endswith("the same command continues\n")
    assert len(said.stderr.splitlines()) == 1
