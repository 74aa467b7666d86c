"""Shared by all tests: single-threaded torch, and the command line in this process or in one of its own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hydra
import pytest
from omegaconf import DictConfig

from aeos import schema
from aeos.paths import conf_dir

#: Threads that wait for one another leave their core to whoever else has work; torch reads it when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
LONGEST = ("test_readme.py", "test_kill.py", "test_sweep_kill.py", "test_doc_examples.py", "test_reproduce.py")


def composed(*overrides: str) -> DictConfig:
    """The config of `aeos train` with these overrides."""
    schema.register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return hydra.compose("train", list(overrides))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that none of them is the last to begin when files run side by side."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def one_thread() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def aeos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`aeos("train", "seed=1")` as a user in an empty folder would, without the price of a new process."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Said:
        from aeos.cli import main

        monkeypatch.setattr(sys, "argv", ["aeos", *words])
        monkeypatch.setattr(logging.getLogger(), "handlers", [])  # Hydra's --info adds one that outlives its stream
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfd.readouterr()
        return Said(int(stop.value.code or 0), out, err)

    return call


@pytest.fixture
def aeos_process(tmp_path: Path) -> Callable[..., Said]:
    """The same in a process of its own, with no terminal."""

    def call(*words: str, **env: str) -> Said:
        command = [sys.executable, "-m", "aeos", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **env}, capture_output=True, text=True, timeout=300
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return call
