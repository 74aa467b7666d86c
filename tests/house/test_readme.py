"""The README is true: its commands run as they stand, its Python runs, its files are there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from aeos.figures.papers import source
from aeos.figures.registry import figure, figures
from aeos.paths import groups

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
LINES = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("aeos ")]
GALLERY = re.findall(r"```sh\naeos reproduce (\w+)\n```\n\n!\[[^]]+\]\((docs/figures/\w+\.png)\)", TEXT)
SCRIPTS = [line for line in LINES if line.startswith("scripts/")]


def test_every_line_is_of_a_kind_that_is_tested() -> None:
    assert set(LINES) - set(COMMANDS) - set(SCRIPTS) == {". .venv/bin/activate"}
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("line", SCRIPTS)
def test_a_script_is_there_and_can_be_started(line: str) -> None:
    assert os.access(ROOT / line.split()[0], os.X_OK)


def test_commands_run_one_after_the_other_as_they_stand(tmp_path: Path) -> None:
    """All but the long reproductions, which are planned only: those of the gallery and the one of all figures."""
    shown = {f"aeos reproduce {name}" for name in ("all", *(name for name, _ in GALLERY))}
    for line in COMMANDS:
        words = [sys.executable, "-m", *shlex.split(line), *(["--dry-run"] if line in shown else [])]
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


@pytest.mark.parametrize("name", figures())
def test_every_figure_has_its_row(name: str) -> None:
    """paper | command | claim | predicted | measured, as `python scripts/tables.py` writes it from a report."""
    table = TEXT.partition("<!-- figures: scripts/tables.py -->")[2].partition("<!-- end of figures -->")[0]
    (row,) = (row for row in table.splitlines() if f"| `aeos reproduce {name} scale=full` |" in row)
    paper, _, claim, predicted, measured = (cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1])
    assert paper == (source(figure(name).paper, figure(name).number) or "own")
    assert claim
    assert bool(predicted) == bool(measured)
    assert predicted or name in ("training", "sharpness"), "figures without a claim"


def test_the_gallery_shows_what_its_commands_draw() -> None:
    """One figure of each body of work: a command, and below it the picture of that name."""
    papers = [figure(name).paper for name, _ in GALLERY]
    assert papers == ["2411.05746", "2411.15958", "2410.24206", "2207.14484"]
    for name, file in GALLERY:
        assert (ROOT / file).stem == name
        assert (ROOT / file).read_bytes().startswith(b"\x89PNG")
