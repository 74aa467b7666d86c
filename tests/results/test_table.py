"""Rows on disk: what a kill or a resume could lose, double or garble."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeos.errors import BadInput
from aeos.results.schema import TABLES, Column
from aeos.results.table import Mark, Table

COLUMNS = (Column("step", int), Column("process", str), Column("loss"))


def read(path: Path, column: str) -> list[float]:
    with path.open() as lines:
        return [float(row[column]) for row in csv.DictReader(lines)]


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_a_number_reads_back_as_the_same_number(tmp_path_factory: pytest.TempPathFactory, losses: list[float]) -> None:
    path = tmp_path_factory.mktemp("table") / "t.csv"
    with Table(path, COLUMNS) as table:
        for step, loss in enumerate(losses):
            table.append({"step": step, "process": "adam", "loss": loss})
    assert read(path, "loss") == losses


def test_a_missing_value_is_an_empty_cell_and_an_unknown_column_an_error(tmp_path: Path) -> None:
    with Table(tmp_path / "t.csv", COLUMNS) as table:
        table.append({"step": 1, "loss": math.nan})
        with pytest.raises(KeyError, match="lss"):
            table.append({"step": 1, "lss": 0.0})
    assert (tmp_path / "t.csv").read_text() == "step,process,loss\n1,,nan\n"


@pytest.mark.parametrize("torn", ["", "3,adam,0.", "3,adam,0.5\n4,ad"])
def test_what_came_after_the_checkpoint_is_dropped_whole_or_torn(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "t.csv"
    with Table(path, COLUMNS) as table:
        table.append({"step": 1, "process": "adam", "loss": 2.0})
        kept = table.sync()
    path.write_text(path.read_text() + torn)
    with Table(path, COLUMNS, keep=kept) as table:
        table.append({"step": 2, "process": "adam", "loss": 1.0})
    assert read(path, "step") == [1, 2]


def test_a_table_shorter_than_its_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("step\n")
    with pytest.raises(BadInput, match="force=true"):
        Table(path, COLUMNS, keep=Mark(1000))


def test_every_declared_column_says_what_it_means() -> None:
    for columns in TABLES.values():
        names = [column.name for column in columns]
        assert len(set(names)) == len(names)
        assert all(column.meaning for column in columns)
