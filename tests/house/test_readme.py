"""The README is true: its commands run as they stand, its Python runs, its files are there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from aeos.paths import groups

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
LINES = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("aeos ")]
SCRIPTS = [line for line in LINES if line.startswith("scripts/")]


def test_every_line_is_of_a_kind_that_is_tested() -> None:
    assert set(LINES) - set(COMMANDS) - set(SCRIPTS) == {". .venv/bin/activate"}
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("line", SCRIPTS)
def test_a_script_is_there_and_can_be_started(line: str) -> None:
    assert os.access(ROOT / line.split()[0], os.X_OK)


def test_commands_run_one_after_the_other_as_they_stand(tmp_path: Path) -> None:
    """All but the one of ten minutes, which is planned only."""
    for line in COMMANDS:
        words = [sys.executable, "-m", *shlex.split(line), *(["--dry-run"] if line == "aeos reproduce all" else [])]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert (done.returncode, done.stderr) == (0, ""), line
        assert done.stdout, line


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", TEXT, re.S))
def test_python_runs(code: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("group", ["problem", "data", "model"])
def test_it_names_every_choice(group: str) -> None:
    for name in groups()[group]:
        assert f"`{name}`" in TEXT or name in ("network", "torchvision")
