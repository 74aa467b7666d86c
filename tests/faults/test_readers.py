"""Would catch: a reader of CSV files that raises anything but BadInput, whatever bytes somebody left there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeos.errors import BadInput
from aeos.figures import claims
from aeos.jobs.sweep.points import read_rows
from aeos.listing import overview
from aeos.results.read import Run

SOUND = "\n".join(
    [
        "step,process,lr,train_loss",
        "0,adam,0.001,2.5",
        "1,adam,0.001,nan",
        '2,"a, b",1e-3,',
        "text,predicted,measured,tolerance,kind,origin,set_after,verdict",
        "A,1.0,1.0,0.1,relative,published,False,PASS",
    ]
)
CELLS = st.sampled_from(["", "1", "-1e400", "adam", '"', "0x1", "True", "\0", "\r", "é", "\n", ",", "9" * 400, "step"])
TEXTS = st.lists(st.sampled_from([*SOUND.split("\n"), "0", ",,,,,,,,,"]) | st.lists(CELLS).map("".join)).map("\n".join)
BYTES = st.binary(max_size=60) | TEXTS.map(lambda text: f"{text}\n".encode("utf-8", "surrogatepass"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("run"), {}, {"job": "train"}, None)


def read(file: Path, content: bytes, reader: Callable[[], Any]) -> Any:
    """What is read of these bytes; None where the reader says in one line that the file is damaged."""
    file.write_bytes(content)
    try:
        return reader()
    except BadInput as error:
        said = str(error)
    assert file.name in said
    assert len(said.splitlines()) == 1
    return None


@given(content=BYTES)
def test_a_run_gives_a_table_of_numbers_where_there_should_be_some(run: Run, content: bytes) -> None:
    table = read(run.path / "metrics.csv", content, lambda: run.table("metrics"))
    for name in () if table is None else {"step", "lr", "train_loss"} & {*table}:
        assert pd.api.types.is_numeric_dtype(table[name])


@given(content=BYTES)
def test_a_sweep_reads_the_cells_of_its_columns(run: Run, content: bytes) -> None:
    file = run.path / "points.csv"
    for row in read(file, content, lambda: read_rows(file)) or ():
        assert all(isinstance(name, str) and cell != "" for name, cell in row.items())


@given(content=BYTES)
def test_claims_have_a_verdict(run: Run, content: bytes) -> None:
    file = run.path / "x.claims.csv"
    for claim in read(file, content, lambda: claims.read(file)) or ():
        assert claim.verdict in ("PASS", "FAIL")


def test_the_list_of_figures_survives_damaged_claims(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "sharpness.claims.csv").write_bytes(b"\xff\0,")
    overview(tmp_path, "figures")
    assert "damaged" in capsys.readouterr().out
