"""Would catch: errors relative to a loss below zero, a basin on the wrong side, a level taken for a transient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_runs import Make
from level_runs import QUADRATIC, USUAL, level_run
from sde_runs import Means, sde_run

from aeos.errors import BadInput
from aeos.figures.claims import Claim
from aeos.figures.labels import labels
from aeos.figures.sde import adaptive_trajectories, basins, new_prior
from aeos.results.read import Run

SADDLE = {"name": "saddle", "spectrum": [-1.0, 2.0], "quartic": 1.0, "cubic": 0.1, "start": [0.02, 0.5]}
LOWEST = -0.28596
STEP = np.arange(0, 2001, 100)


def failing(claims: list[Claim]) -> list[str]:
    return [claim.text for claim in claims if claim.verdict == "FAIL"]


def walk(factor: float, shift: float = 0.0, floor: float = 0.0) -> dict[str, np.ndarray]:
    """Means that decay; the excess of the loss over `floor` off by up to `factor` − 1, the parameters by `shift`."""
    t = STEP / STEP[-1]
    loss = np.exp(-4 * t)
    return {
        "train_loss": floor + loss * (1 + (factor - 1) * t),
        "theta[0]": loss + shift * t,
        "theta[1]": 0.5 * loss + shift * t,
    }


def moved(
    make: Make, name: str, problem: dict[str, Any], models: Means, optimizer: str = "rmsprop", **settings: Any
) -> Run:
    floor = 0.0 if problem["name"] == "quadratic" else LOWEST
    settings = USUAL | {"problem": problem} | settings
    how = {"weight_decay": settings.pop("weight_decay", 0.0)}
    return sde_run(make, name, STEP, {optimizer: walk(1, floor=floor)} | dict(models), 1e-9, optimizer=how, **settings)


def test_the_lowest_loss() -> None:
    assert new_prior.lowest(SADDLE) == pytest.approx(LOWEST, abs=1e-5)
    assert new_prior.lowest(QUADRATIC) == 0


@pytest.mark.parametrize(
    ("new", "prior", "failed"),
    [(1.001, 0.5, 0), (1.001, 1.009, 2), (1.02, 0.5, 2), (0.999, 1.2, 0)],
)
def test_claims_of_new_and_prior(make_run: Make, new: float, prior: float, failed: int) -> None:
    runs = []
    for problem, floor in ((QUADRATIC, 0.0), (SADDLE, LOWEST)):
        models = {"new": walk(new, floor=floor), "prior": walk(prior, floor=floor)}
        runs.append(moved(make_run, problem["name"], problem, models))
    assert new_prior.worst(runs[1], "prior")[0] == pytest.approx(abs(prior - 1), rel=1e-3)
    assert len(failing(new_prior.claims(runs))) == failed


def test_a_prior_that_diverged_is_off_without_bound(make_run: Make) -> None:
    run = moved(make_run, "r", QUADRATIC, {"new": walk(1.001), "prior": walk(0.5)})
    rows = run.table("moments")
    rows[(rows["process"] != "prior") | (rows["step"] < 500)].to_csv(run.path / "moments.csv", index=False)
    assert new_prior.worst(run, "prior") == (np.inf, 0.0)


def test_levels_are_told_from_transients(make_run: Make) -> None:
    far = [moved(make_run, f"far{p['name']}", p, {"new": walk(1.001), "prior": walk(0.5)}) for p in (QUADRATIC, SADDLE)]
    near = [
        level_run(make_run, f"{noise}{n}", {"name": "rmsprop"}, ("new", "prior"), noise=noise, substeps=n)
        for noise in (1e-2, 1e-3)
        for n in (1, 4)
    ]
    assert list(new_prior.transients(far + near)) == ["quadratic", "saddle"]
    assert len(new_prior.levels(far + near)) == 4
    assert new_prior.ratio(near[2], "prior") == (np.inf, 0.0)  # ηλ/s = 2
    claims = new_prior.claims(near + far)
    assert not failing([claim for claim in claims if claim.text.startswith("near")])
    panels = new_prior.draw(far + near, labels(far + near)).axes
    crosses = [line for line in panels[5].get_lines() if line.get_marker() == "x"]
    assert len(panels) == 6
    assert len(crosses) == 1
    with pytest.raises(BadInput, match="far from its minimum"):
        new_prior.draw(near, labels(near))


def test_a_level_away_from_its_recursion_fails(make_run: Make) -> None:
    far = moved(make_run, "far", QUADRATIC, {"new": walk(1.001), "prior": walk(0.5)})
    near = level_run(make_run, "near", {"name": "rmsprop"}, ("new", "prior"), {"new": 1.1}, noise=1e-2)
    assert failing(new_prior.claims([far, near])) == [
        "near the minimum, new over optimizer: largest |level/x − 1|, x = that of the recursions"
    ]


@pytest.mark.parametrize(
    ("factor", "shift", "failed"), [(1.01, 1e-3, 0), (1.03, 1e-3, 1), (1.01, 0.02, 2), (2.0, 0.0, 2)]
)
def test_claims_of_trajectories(make_run: Make, factor: float, shift: float, failed: int) -> None:
    runs = [
        moved(make_run, problem["name"], problem, {"new": walk(factor, shift, floor)}, weight_decay=1.0)
        for problem, floor in ((QUADRATIC, 0.0), (SADDLE, LOWEST))
    ]
    assert len(failing(adaptive_trajectories.claims(runs))) == failed
    axes = adaptive_trajectories.draw(runs, labels(runs)).axes
    assert [len(panel.get_lines()) for panel in axes] == [2, 2, 2] * 2
    assert axes[0].get_title() == "quadratic"


def test_a_trajectory_figure_is_a_plane(make_run: Make) -> None:
    run = moved(make_run, "r", QUADRATIC | {"spectrum": [1.0]}, {"new": walk(1)})
    with pytest.raises(BadInput, match="two eigenvalues"):
        adaptive_trajectories.draw([run], ["r"])


def divided(make: Make, betas: tuple[float, float], x: float, share: float, off: float = 0.0) -> Run:
    """200 paths, the share of them in the right-hand basin; their losses are the levels there, times 1 + `off`."""
    how = {"beta1": betas[0], "beta2": betas[1], "weight_decay": 1.0}
    problem = SADDLE | {"start": [x, 0.5]}
    means = {process: {"train_loss": [0.2, -0.2]} for process in ("adam", "lagged")}
    run = sde_run(make, f"{betas}{x}", [0, 100], means, optimizer=how, **USUAL | {"problem": problem})
    right = np.arange(200) < 200 * share
    theta, f = np.where(right, 0.917, -0.851), np.where(right, -0.26938, -0.21046) * (1 + off)
    tables = [
        pd.DataFrame({"step": 100, "process": process, "path": range(200), "quantity": quantity, "value": value})
        for process in means
        for quantity, value in (("theta[0]", theta), ("train_loss", f))
    ]
    pd.concat(tables).to_csv(run.path / "paths.csv", index=False)
    return run


def test_the_drift_vanishes_where_decay_balances_the_gradient(make_run: Make) -> None:
    run = divided(make_run, (0.9, 0.999), 0.02, 0.99)
    for side, sign, known in (("right", 1, 0.9170), ("left", -1, -0.8511)):
        x, f = basins.still(run, side)
        slope = -x + x**3 - 0.1 * x**2
        assert slope / np.hypot(0.1, slope) == pytest.approx(-x, rel=1e-9)
        assert f == pytest.approx(-(x**2) / 2 + x**4 / 4 - 0.1 * x**3 / 3, rel=1e-12)
        assert (x * sign > 0, x) == (True, pytest.approx(known, abs=1e-4))


@pytest.mark.parametrize(
    ("share", "off", "failed"),
    [(0.99, 0.0, 0), (0.9, 0.0, 2), (0.99, 0.03, 4)],  # off: both pairs of one beta, and the range of both sides
)
def test_claims_of_basins(make_run: Make, share: float, off: float, failed: int) -> None:
    runs = [divided(make_run, (0.9, 0.999), x, share if x else 0.5, off) for x in (0.02, 0.0)]
    runs += [divided(make_run, (0.99, 0.99), x, share if x else 0.5) for x in (0.02, 0.0)]
    assert len(failing(basins.claims(runs))) == failed
    left, middle, right = basins.draw(runs, labels(runs)).axes
    assert len(left.get_lines()) == 2 * 2
    assert [len(panel.containers) for panel in (middle, right)] == [8, 8]


def test_basins_are_of_adam_on_the_saddle(make_run: Make) -> None:
    with pytest.raises(BadInput, match="problem=saddle"):
        basins.draw([level_run(make_run, "r", {"name": "adam"})], ["r"])
