"""Would catch: a point whose numbers depend on who ran beside it, where, or in how many pieces."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from aeos.jobs.sweep.points import Point, blocks
from aeos.results.schema import POINTS
from aeos.theory import stability
from tests.conftest import Said

SMALL = ("data.n=60", "data.test=40", "steps=60", "model.width=8")
SIX = "curve.points=6"
CLOCK = {column.name for column in POINTS if column.clock}


def read(folder: Path, name: str = "points") -> dict[tuple[str, ...], dict[str, str]]:
    """Rows by what they are about; clock columns left out."""
    with (folder / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    keys = ("beta", "gamma", "seed") + (("step",) if name == "trajectories" else ())
    found = {tuple(row[key] for key in keys): {k: v for k, v in row.items() if k not in CLOCK} for row in rows}
    assert len(found) == len(rows), "a row is there twice"
    return found


def numbers(rows: dict[tuple[str, ...], dict[str, str]]) -> np.ndarray:
    """(rows, columns) in the order of their keys; statuses left out, empty cells NaN."""
    names = [name for name in next(iter(rows.values())) if name != "status"]
    return np.array([[float(rows[key][name] or "nan") for name in names] for key in sorted(rows)])


@pytest.fixture
def sweep(aeos: Callable[..., Said], tmp_path: Path) -> Callable[..., Path]:
    """sweep(words…) → the folder of its run."""

    def call(*words: str, name: str = "s") -> Path:
        small = () if "problem=quadratic" in words else SMALL
        said = aeos("sweep-stability", *small, *words, f"name={name}")
        assert (said.code, said.err) == (0, ""), said
        (folder,) = tmp_path.glob(f"*/sweep_stability/{name}-*")
        return folder

    return call


@pytest.mark.parametrize("extra", [(), ("batch_size=16", "noise=1e-3", "optimizer.eps=1e-8")], ids=["full", "noisy"])
def test_numbers_depend_neither_on_block_nor_on_workers(extra: tuple[str, ...], sweep: Callable[..., Path]) -> None:
    alone = sweep(SIX, *extra, "block=1", "workers=0", "out=a")
    for number, how in enumerate((("block=6", "workers=0"), ("block=4", "workers=2"))):
        other = sweep(SIX, *extra, *how, f"out=b{number}", name=f"t{number}")
        for table in ("points", "trajectories"):
            ours, theirs = read(alone, table), read(other, table)
            assert ours.keys() == theirs.keys()
            np.testing.assert_allclose(numbers(theirs), numbers(ours), rtol=1e-6, atol=0)


def test_a_member_equals_aeos_train(sweep: Callable[..., Path], aeos: Callable[..., Said], tmp_path: Path) -> None:
    """The same optimizer, problem and seed through the other command: another loop, another evaluation."""
    folder = sweep(
        "curve=points", "curve.at=[[0.99,0.9],[0.95,0.97]]", "batch_size=16", "block=2", "workers=0", "seed=3"
    )
    said = aeos("train", "problem=interpolating", "optimizer=adam_eps0", "optimizer.lr=1e-2", "optimizer.beta1=0.97",
                "optimizer.beta2=0.95", *SMALL, "batch_size=16", "every=10", "seed=3")  # fmt: skip
    assert said.code == 0
    (file,) = tmp_path.glob("outputs/train/*/metrics.csv")
    with file.open(newline="") as lines:
        metrics = {row["step"]: row for row in csv.DictReader(lines)}
    ours = {key[3]: row for key, row in read(folder, "trajectories").items() if key[0] == "0.95"}
    assert ours.keys() == metrics.keys()
    for step, row in ours.items():
        for name in ("train_loss", "test_loss", "test_accuracy", *(["max_update"] if step != "0" else [])):
            assert float(row[name]) == pytest.approx(float(metrics[step][name]), rel=1e-9), (step, name)


def test_what_a_point_says_of_itself(sweep: Callable[..., Path]) -> None:
    folder = sweep(SIX, "block=3", "workers=0", "steps=100", "every=1", "fit_from=0.5")
    trajectories = read(folder, "trajectories")
    for (beta, gamma, seed), row in read(folder).items():
        own = {int(step): r for (*point, step), r in trajectories.items() if point == [beta, gamma, seed]}
        updates = np.array([float(own[step]["max_update"]) for step in range(1, 101)])
        assert float(row["coefficient"]) == stability.stability_coefficient(float(beta), float(gamma))
        slope, intercept = np.polyfit(np.arange(50, 100), np.log(updates[50:]), 1)
        rest = np.log(updates[50:]) - slope * np.arange(50, 100) - intercept
        error = math.sqrt((rest @ rest) / 48 / (50 * (50**2 - 1) / 12))
        assert float(row["slope"]) == pytest.approx(slope, rel=1e-9, abs=1e-12)
        assert float(row["slope_error"]) == pytest.approx(error, rel=1e-6)
        assert (row["fit_from"], row["fit_to"]) == ("50", "99")
        bound = stability.max_update_bound(np.arange(100), float(beta), float(gamma), "discrete")
        assert float(row["bound_ratio"]) == pytest.approx(max(updates / bound), rel=1e-9)
        assert float(row["bound_ratio"]) <= 1 + 1e-9
        assert float(row["largest_update"]) == updates.max()
        best = min(range(101), key=lambda step: float(own[step]["test_loss"]))
        assert row["best_test_loss_step"] == str(best)
        assert row["best_test_loss"] == own[best]["test_loss"]
        assert row["train_loss"] == own[100]["train_loss"]


def test_a_member_that_diverges_leaves_the_others_alone(sweep: Callable[..., Path]) -> None:
    """Nearly without its preconditioner Adam is EMA momentum: stable up to 2(1 + γ)/(1 − γ) = ηλ, here 30."""
    words = ("problem=quadratic", "problem.spectrum=[1.0]", "dtype=float32", "curve=points", "steps=400", "every=50",
             "optimizer=padam", "optimizer.power=1e-3", "optimizer.lr=30", "workers=0")  # fmt: skip
    folder = sweep(*words, "curve.at=[[0.999,0.5],[0.999,0.9]]", "block=2")
    rows = read(folder)
    lost, kept = (rows["0.999", "0.5", "0"], rows["0.999", "0.9", "0"])
    assert (lost["status"], kept["status"]) == ("diverged", "finished")
    assert (lost["slope"], lost["train_loss"]) == ("", "inf")
    steps = [int(key[3]) for key in read(folder, "trajectories") if key[1] == "0.5"]
    assert max(steps) == int(lost["diverged_at"]) < 400
    alone = sweep(*words, "curve.at=[[0.999,0.9]]", "block=1", "out=alone", name="alone")
    assert read(alone)["0.999", "0.9", "0"] == kept


def test_points_that_another_run_has_are_taken_over(aeos: Callable[..., Said], sweep: Callable[..., Path]) -> None:
    at = "curve.at=[[0.99,0.9],[0.95,0.97]]"
    first = sweep("curve=points", at, "block=1", "workers=0")
    more = sweep("curve=points", at[:-1] + ",[0.9,0.5]]", "seeds=2", "block=1", "workers=0", name="more")
    assert len(read(more)) == 6
    for key, row in read(first).items():
        assert read(more)[key] == row
    assert (more / "run.log").read_text().count("computed") == 4
    other = sweep("curve=points", at, "optimizer.lr=2e-2", "block=1", "workers=0", name="other")
    assert (other / "run.log").read_text().count("computed") == 2


def test_blocks_stay_the_same_whatever_is_finished() -> None:
    wanted = [Point(0.9, 0.1 * k, seed) for seed in (0, 1) for k in range(5)]
    whole = list(blocks(wanted, set(), 3))
    assert [len(block) for block in whole] == [3, 2, 3, 2]
    assert all(len({point.seed for point in block}) == 1 for block in whole)
    done = {wanted[1], *whole[1], wanted[9]}
    assert list(blocks(wanted, done, 3)) == [[wanted[0], wanted[2]], whole[2], [wanted[8]]]


def test_the_summary_is_of_the_table(sweep: Callable[..., Path]) -> None:
    folder = sweep(SIX, "block=6", "workers=0", "steps=200")
    summary, rows = json.loads((folder / "summary.json").read_text()), read(folder).values()
    unstable = [row for row in rows if float(row["coefficient"]) < -0.01]
    rates = [-float(row["discrete_coefficient"]) / 2 for row in unstable]
    errors = [abs(float(row["slope"]) - rate) / rate for row, rate in zip(unstable, rates, strict=True)]
    assert summary["growth_error_discrete"] == pytest.approx(np.mean(errors), rel=1e-12)
    assert summary["points"] == 6
    assert summary["bound_ratio"] == max(float(row["bound_ratio"]) for row in rows)
    assert not list((folder / "blocks").iterdir())


def test_torch_keeps_its_threads(sweep: Callable[..., Path]) -> None:
    torch.set_num_threads(1)
    sweep("workers=0", "block=1", "curve.points=2", "steps=2")
    assert torch.get_num_threads() == 1
