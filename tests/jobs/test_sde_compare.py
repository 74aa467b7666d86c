"""Would catch: an SDE left out or named otherwise, settings without effect, a verdict that is not the tables'."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from aeos.jobs.sde.processes import MODELS
from aeos.jobs.sde.settings import effective
from aeos.schema.sde import SDES
from tests.conftest import Said
from tests.jobs.killed_runs import assert_same, killed, tables

SMALL = ("steps=60", "every=20", "paths=16")


def summary(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("outputs/sde_compare/*/summary.json")
    return json.loads(file.read_text())


def test_every_name_of_an_sde_has_a_process() -> None:
    assert {name: tuple(known) for name, known in MODELS.items()} == SDES


def test_it_leaves_four_tables_and_a_verdict_that_is_theirs(aeos: Callable[..., Said], tmp_path: Path) -> None:
    said = aeos("sde-compare", *SMALL, "shown=3")
    assert (said.code, said.err) == (0, "")
    found = tables(tmp_path)
    assert found.keys() == {"moments", "gaps", "averages", "paths"}
    assert list(found["moments"]["process"].unique()) == ["adam", "new", "prior"]
    assert list(found["gaps"]["process"].unique()) == ["new", "prior"]
    quantities = ["train_loss", *(f"{of}" for i in (0, 1) for of in (f"theta[{i}]", f"theta[{i}]^2", f"v[{i}]"))]
    assert list(found["moments"]["quantity"].unique()) == quantities
    assert len(found["moments"]) == 4 * 3 * 7
    assert len(found["averages"]) == 3 * 7
    assert set(found["averages"]["from"]) == {30}
    assert len(found["paths"]) == 3 * 5 * (3 * 3 + 16)

    told = summary(tmp_path)
    loss = found["moments"].query("process == 'adam' and quantity == 'train_loss'")["mean"]
    assert told["train_loss"] == loss.iloc[-1]
    for name in ("new", "prior"):
        gaps = found["gaps"].query("process == @name and quantity == 'train_loss'")
        share = gaps["gap"].abs().max() / (loss.max() - loss.min())
        assert told["sdes"][name]["share"] == pytest.approx(share, rel=1e-12)
        assert told["sdes"][name]["relative"] == gaps["relative"].abs().max()
        assert told["sdes"][name]["z"] == gaps["z"].abs().max()
        assert f"{name}: mean train loss within {100 * share:.2g}% ±" in said.out
    assert 30 * told["sdes"]["new"]["share"] < told["sdes"]["prior"]["share"]


@pytest.mark.parametrize(
    "words",
    [
        ("optimizer=gd", "sdes=[new,faithful]", "noise=0"),
        ("optimizer=signsgd", "nu=1", "problem=saddle"),
        ("optimizer=gd", "nu=1", "sdes=[]"),
        ("optimizer=rmspropw", "start=signal", "optimizer.bias_correction=false", "substeps=4"),
        ("sdes=[new,lagged,noisy,prior]", "burn_in=5", "substeps=2", "schedule=power", "schedule.rate=1e-3"),
        ("optimizer=adam", "problem=teacher", "batch_size=8", "noise=0", "paths=2"),
        (
            "optimizer=signsgd",
            "problem=teacher",
            "batch_size=8",
            "sdes=[new,empirical,empirical_full]",
            "paths=2",
            "signs=2",
        ),
        ("problem=network", "data=digits", "data.n=40", "data.test=20", "model.width=4", "batch_size=null", "paths=2"),
        ("problem=network", "data=digits", "data.n=40", "data.test=20", "model.width=4", "batch_size=8", "paths=3"),
    ],
)
def test_combinations_run_and_have_an_error_for_every_mean(
    words: tuple[str, ...], aeos: Callable[..., Said], tmp_path: Path
) -> None:
    said = aeos("sde-compare", *SMALL, "steps=20", "every=10", *words)
    assert (said.code, said.err) == (0, "")
    moments = tables(tmp_path)["moments"]
    assert moments.notna().all(axis=None)
    started = moments.query("step == 20 and quantity == 'train_loss'")
    assert (started["error"] > 0).all() or "noise=0" in words


def test_divergence_is_a_result_of_whoever_diverges(aeos: Callable[..., Said], tmp_path: Path) -> None:
    """Without the signal in V and with hardly any noise the prior SDE's step is a hundred times too long."""
    words = ("optimizer=rmsprop", "problem=saddle", "noise=1e-4", "optimizer.beta2=0.9", "optimizer.lr=0.01")
    said = aeos("sde-compare", *SMALL, *words)
    assert (said.code, said.err) == (0, "")
    assert "prior: diverged at step" in said.out
    told = summary(tmp_path)
    assert told["status"] == "diverged"
    assert told["sdes"]["new"]["diverged_at"] is None
    assert told["sdes"]["prior"]["diverged_at"] > 0
    assert told["sdes"]["prior"]["share"] is None or math.isfinite(told["sdes"]["prior"]["share"])


CONFIG = {
    "optimizer": {"name": "adam", "lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.5},
    "rho1": None, "rho2": None, "kappa": 1.0, "kappa_decay": True,
    "batch_size": 8, "noise": 0.4, "steps": 800, "every": 80, "burn_in": 3,
    "schedule": {"name": "power", "p": 0.5, "rate": 0.01},
}  # fmt: skip


def test_rates_per_unit_of_time_and_the_scaling_rule_are_put_into_effect() -> None:
    config = OmegaConf.create(CONFIG)
    assert effective(config) == config
    slow = effective(OmegaConf.merge(config, {"rho1": 20.0, "rho2": 0.5}))
    assert (slow.optimizer.beta1, slow.optimizer.beta2) == pytest.approx((0.8, 0.995))
    wide = effective(OmegaConf.merge(config, {"kappa": 2.0}))
    assert dict(wide.optimizer) == pytest.approx(
        {"name": "adam", "lr": 0.02, "beta1": 0.6, "beta2": 0.96, "eps": 5e-7, "weight_decay": 1.0}
    )
    assert (wide.batch_size, wide.noise, wide.steps, wide.every, wide.burn_in) == (32, 0.2, 200, 20, 1)
    assert wide.schedule.rate == 0.04
    assert effective(OmegaConf.merge(config, {"kappa": 2.0, "schedule": {"warmup": 40}})).schedule.warmup == 10
    assert effective(OmegaConf.merge(config, {"kappa": 2.0, "kappa_decay": False})).optimizer.weight_decay == 0.5
    assert effective(OmegaConf.merge(config, {"kappa": 2.0, "batch_size": None})).batch_size is None


def test_the_scaling_rule_keeps_the_stationary_law_where_noise_is_all(
    aeos: Callable[..., Said], tmp_path: Path
) -> None:
    """The time average of E f over the same stretch of samples; without rescaled decay it would be 13 % above."""
    words = ("problem.start=[0]", "optimizer=adamw", "optimizer.weight_decay=4", "paths=3000", "sdes=[]")
    assert aeos("sde-compare", "-m", *words, "steps=1600", "every=40", "dtype=float64", "kappa=1,2").code == 0
    found = []
    for file in sorted(tmp_path.glob("outputs/sde_compare/*/averages.csv")):
        found.append(pd.read_csv(file).query("quantity == 'train_loss'").iloc[0])
    assert sorted((int(row["from"]), int(row["to"])) for row in found) == [(200, 400), (800, 1600)]
    gap = found[0]["mean"] / found[1]["mean"] - 1
    error = math.hypot(*(row["error"] / row["mean"] for row in found))
    assert error < 0.012
    assert abs(gap) < 4 * error


CASES = {
    "noise=0 optimizer=signsgd": "noise > 0",
    "noise=-1 optimizer=signsgd": "noise",
    "substeps=4": "burn_in",
    "rho1=2000": "optimizer.lr <= 0.0005",
    "optimizer=rmsprop rho1=2": "rho1",
    "kappa=4": "kappa <= 3.162",
    "kappa=4 optimizer=gd": "kappa",
    "kappa=1.1 problem=teacher batch_size=8": "9.68",
    "start=signal": "optimizer.bias_correction=false",
    "sdes=[prior] optimizer=signsgd": "empirical",
    "sdes=[empirical] optimizer=signsgd": "batch_size",
    "sdes=[new,new]": "each once",
    "sdes=[newer]": "lagged",
    "optimizer=kadam": "signsgd",
    "optimizer.freeze=3": "optimizer.freeze",
    "nu=2": "nu > 2",
    "nu=3 problem=teacher batch_size=8": "batch_size",
    "batch_size=8": "batch_size",
    "paths=1": "paths",
    "window=2": "window",
}


@pytest.mark.parametrize("words", CASES)
def test_what_cannot_work_says_so_in_one_line(words: str, aeos: Callable[..., Said], tmp_path: Path) -> None:
    said = aeos("sde-compare", *words.split())
    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1), said
    assert CASES[words] in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_kill_changes_no_digit(aeos: Callable[..., Said], tmp_path: Path) -> None:
    words = ("sde-compare", "steps=5000", "every=50", "paths=64", "burn_in=7", "optimizer.beta2=0.99", "threads=1")
    there = tmp_path / "killed"

    def has_rows(count: int) -> bool:
        return sum(file.read_text().count("\n") for file in there.glob("outputs/*/*/moments.csv")) >= count

    log = killed(there, words, partial(has_rows, 300), partial(has_rows, 1000))
    assert log.count("continues from its checkpoint") == 2
    assert aeos(*words).code == 0
    for table in assert_same(there, tmp_path).values():
        numbers = table.select_dtypes("number").drop(columns=["z", "relative"], errors="ignore")
        assert np.isfinite(numbers).all(axis=None)
