"""Catches a run that measures what it was not asked for, and one that the laws are not about but that starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aeos.errors import BadInput
from aeos.jobs.scale_invariance import scale_invariance_watches
from aeos.optimizers import build_rule
from aeos.problems.build import build_problem
from tests.conftest import composed

SMALL = ("model.width=8", "model.depth=1", "data.n=8", "data.test=2")
TEXT = ("data=text", "data.characters=2000", "model=transformer", *SMALL)
QK = (*TEXT, "model.qk_norm=true")


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {file.stem: pd.read_csv(file) for file in folder.glob("outputs/train/*/*.csv")}


@pytest.mark.parametrize("words", [QK, ("data=digits", "model=vit", "model.qk_norm=true", *SMALL)])
def test_a_run_leaves_its_tables_whole(aeos: Callable[..., Any], tmp_path: Path, words: tuple[str, ...]) -> None:
    asked = ("optimizer=adamw", "batch_size=4", "scale_invariance.every=3", "scale_invariance.lags=[3,0,3]")
    assert aeos("train", *words, *asked, "steps=7", "every=7").code == 0
    found = tables(tmp_path)
    norms, cosines = found["scale_invariance"], found["alignments"]
    assert norms["matrix"].nunique() == 8
    assert sorted(norms["step"]) == sorted([0, 3, 6, 7] * 8)
    assert norms[norms["step"] > 0].notna().all(axis=None)
    lags = {step: sorted(set(rows["lag"])) for step, rows in cosines.groupby("step")}
    assert lags == {0: [0], 3: [0, 3], 6: [0, 3]}  # of the gradients that step 7 needs, none was kept


def test_no_lags_no_table(aeos: Callable[..., Any], tmp_path: Path) -> None:
    assert (
        aeos("train", *QK, "scale_invariance.every=1", "scale_invariance.lags=[]", "steps=1", "batch_size=4").code == 0
    )
    assert tables(tmp_path).keys() == {"metrics", "scale_invariance"}


def test_nothing_asked_nothing_refused() -> None:
    config = composed("problem=quadratic", "optimizer=gd")
    assert scale_invariance_watches(config, build_problem(config), build_rule(config.optimizer)) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("problem=quadratic",), "scale_invariance.every=2: this problem has no scale-invariant matrices"),
        (TEXT, "choose data=text model=transformer (or an image data set and model=vit) with model.qk_norm=true"),
        ((*QK, "optimizer=gd"), "optimizer=gd has not; choose optimizer=adam or adamw"),
        ((*QK, "optimizer=nadam"), "optimizer=nadam has not"),
        ((*QK, "optimizer=kadam"), "optimizer=kadam has not"),
        ((*QK, "optimizer=adamw", "optimizer.decoupled=false"), "set optimizer.decoupled=true"),
    ],
)
def test_what_the_laws_are_not_about_is_refused(words: tuple[str, ...], says: str) -> None:
    config = composed(*words, "scale_invariance.every=2")
    with pytest.raises(BadInput) as refused:
        scale_invariance_watches(config, build_problem(config), build_rule(config.optimizer))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
