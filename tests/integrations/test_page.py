"""Would catch: an example of docs/your-own-training-loop.md that does not run with the libraries it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.house.pages import ROOT, Block, blocks

PAGE = ROOT / "docs" / "your-own-training-loop.md"


@pytest.mark.parametrize("block", blocks(PAGE, "python", "py"), ids=["plain", "lightning", "transformers"])
def test_the_example_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, block.page.name, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.count("ratio to the edge") >= 2
