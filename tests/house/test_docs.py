"""Would catch: a page that leads nowhere, Python on it that does not run, a command that aeos does not take."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
from pages import DOCS, PAGES, ROOT, WALKS, Block, anchors, blocks, commands, links

from aeos import schema
from aeos.figures.registry import each_run, figures
from aeos.paths import conf_dir

PLAIN = [page for page in DOCS if page.stem not in WALKS]
LINES = [line for page in PLAIN for line in commands(page)]
JOBS = {name.replace("_", "-"): name for name in schema.JOBS}


def test_there_is_a_page_for_each_walk() -> None:
    assert {*WALKS} <= {page.stem for page in DOCS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.is_relative_to(ROOT), link
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("block", [block for page in PLAIN for block in blocks(page, "python")], ids=str)
def test_python_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, block.page.name, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("line", dict.fromkeys(LINES))
def test_aeos_takes_every_command(line: str, aeos: Callable[..., Any]) -> None:
    """Jobs are composed and checked, figures and papers looked up; nothing is computed."""
    program, *words = shlex.split(line, comments=True)
    if program != "aeos":
        assert os.access(ROOT / program, os.X_OK)
    elif words[0] in JOBS:
        check(JOBS[words[0]], words[1:])
    elif words[0] == "plot":
        assert {word for word in words[1:] if not word.startswith(("-", "outputs"))} <= {*figures()}
    else:
        said = aeos(*words, *(["--dry-run"] if words[0] == "reproduce" else []))
        assert (said.code, said.err) == (0, "")


def check(job: str, words: list[str]) -> None:
    """Raises what `aeos <job>` would complain about before anything runs."""
    if "-m" in words and any(word.startswith("shards=") for word in words):
        words = [*words, "shard=0,1"]  # as -m does it
    schema.register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for one in each_run([word for word in words if word != "-m"]):
            schema.validate(hydra.compose(job, list(one)))
