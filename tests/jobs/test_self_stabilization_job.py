"""Catches a run that measures what it was not asked for, and one that the cubic model is not about but that starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from aeos.jobs.self_stabilization import self_stabilization_watches
from aeos.optimizers import build_rule
from tests.conftest import composed

TEACHER = ("problem=teacher", "optimizer=gd", "optimizer.lr=0.76", "steps=7", "every=7")


def test_a_run_leaves_its_table(aeos: Callable[..., Any], tmp_path: Path) -> None:
    said = aeos("train", *TEACHER, "self_stabilization.every=3", "optimizer.weight_decay=0.01")
    assert said.code == 0, said.err
    found = {file.stem: pd.read_csv(file) for file in tmp_path.glob("outputs/train/*/*.csv")}
    assert found.keys() == {"metrics", "self_stabilization"}
    rows = found["self_stabilization"]
    assert list(rows["step"]) == [0, 3, 6, 7]
    assert rows.drop(columns=["projection", "delta"]).notna().all(axis=None)


def test_nothing_asked_nothing_refused() -> None:
    config = composed("problem=quadratic", "optimizer=adam")
    assert self_stabilization_watches(config, build_rule(config.optimizer)) == []
