"""Would catch: a walk that stops at some step, an example that is not as its page shows it, a patch that is stale."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pages import DOCS, ROOT, WALKS, Block, blocks, commands

WALK = [page for page in DOCS if page.stem in WALKS]
EXAMPLES = ROOT / "docs" / "examples"
#: Python that runs lines of aeos one after the other: the second one is spared the price of a process.
IN_TURN = """
import shlex, sys
from aeos.cli import main
for line in sys.argv[1:]:
    sys.argv = shlex.split(line)
    try:
        main()
    except SystemExit as end:
        if end.code:
            sys.exit(f"{line}: exit code {end.code}")
"""


@pytest.mark.parametrize("block", [block for page in WALK for block in blocks(page, "py", "yaml", "diff")], ids=str)
def test_what_is_quoted_is_what_the_file_says(block: Block) -> None:
    assert block.file is not None
    assert block.text in block.file.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", WALK, ids=lambda page: page.stem)
def test_every_file_of_an_example_is_shown(page: Path) -> None:
    name = WALKS[page.stem]
    there = {path for path in EXAMPLES.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    own = {path for path in there if path.relative_to(EXAMPLES).parts[0] in (name, f"{name}.patch")}
    assert own == {block.file for block in blocks(page, "py", "yaml", "diff")}
    assert {path.relative_to(EXAMPLES).parts[0].removesuffix(".patch") for path in there} == {*WALKS.values()}


def test_an_optimizer_is_added(tmp_path: Path) -> None:
    said = walk(ROOT / "docs" / "add-an-optimizer.md", tmp_path)
    assert "reached the edge at step" in said
    assert list(tmp_path.glob("outputs/sharpness/*/figures/sharpness.svg"))
    (points,) = tmp_path.glob("outputs/sweep_stability/mlp-digits-adabelief-*/points.csv")
    assert (pd.read_csv(points)["status"] == "finished").all()


def test_a_figure_is_added(tmp_path: Path) -> None:
    walk(ROOT / "docs" / "add-a-figure.md", tmp_path)
    (table,) = tmp_path.glob("outputs/figures/warmup-*.claims.csv")
    assert list(pd.read_csv(table)["verdict"]) == ["PASS"] * 7
    assert len(list(tmp_path.glob("outputs/figures/warmup-*.svg"))) == 1


def walk(page: Path, tree: Path) -> str:
    """Run the page's commands and its Python in a checkout of their own; returns what they said."""
    for name in ("aeos", "conf", "tests", "docs"):
        shutil.copytree(ROOT / name, tree / name)
    shutil.copy(ROOT / "pyproject.toml", tree)
    # A repository around this folder would make `git apply` look there; a path set outside would find another aeos.
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent), "PYTHONPATH": str(tree)}
    scripts = [["-c", block.text] for block in blocks(page, "python")]
    said = ""
    for words in [*steps(commands(page)), *([sys.executable, *script] for script in scripts)]:
        done = subprocess.run(words, cwd=tree, env=env, capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stderr) == (0, ""), f"{words}\n{done.stdout}"
        said += done.stdout
    return said


def steps(lines: list[str]) -> Iterator[list[str]]:
    """What to execute for these lines; consecutive lines of aeos are one process, and reproduce only says its plan."""
    for program, some in itertools.groupby(lines, lambda line: line.split()[0]):
        if program == "aeos":
            dry = [f"{line} --dry-run" if line.startswith("aeos reproduce") else line for line in some]
            yield [sys.executable, "-c", IN_TURN, *dry]
        elif program == "scripts/test":
            yield from ([sys.executable, "-m", "pytest", *shlex.split(line)[1:]] for line in some)
        else:
            yield from (shlex.split(line) for line in some)
