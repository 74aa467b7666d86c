"""Would catch: runs that differ in two settings taken for one effect, a full batch that is no size, peaks set apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_runs import Make
from sweep_runs import OPTIMIZER, sweep_run

from aeos.errors import BadInput
from aeos.figures.labels import labels
from aeos.figures.stability import effects
from aeos.results.read import Run, load

CURVE = [(0.95, 0.999), (0.955, 0.995), (0.97, 0.965)]
PEAK = 200  # of ε = 1e-4


def shared(share: float) -> Any:
    """Slopes that are so much of the exact rate."""
    return lambda row: row | {"slope": -share * row["discrete_coefficient"] / 2}


def stopped(make: Make, eps: float, late: float = 1.0) -> Run:
    """A sweep whose updates fall as γⁿ after a peak that lies `late` times as much later, for 1e-4, as predicted."""
    run = sweep_run(
        make,
        f"eps{eps:g}-{late}",
        CURVE,
        steps=1000,
        optimizer=OPTIMIZER | {"eps": eps},
        change=lambda row: row | {"slope": np.log(row["gamma"])},
    )
    table = pd.read_csv(run.path / "trajectories.csv")
    peak = PEAK + late * 2 * np.log(1e-4 / eps) / -np.log(table["beta"])
    table["max_update"] = np.exp(-abs(table["step"] - peak) / 100)
    table.to_csv(run.path / "trajectories.csv", index=False)
    return load(run.path)


def several(make: Make, **replaced: float) -> list[Run]:
    """One run of each effect, and shares of the exact rate that they realise."""
    shares = {"base": 1.0, "b16": 0.5, "b64": 0.9, "noise": 0.0, "decay": 1.0} | replaced
    changed: dict[str, dict[str, Any]] = {
        "base": {},
        "b16": {"batch_size": 16},
        "b64": {"batch_size": 64},
        "noise": {"noise": 1e-3},
        "decay": {"optimizer": OPTIMIZER | {"weight_decay": 1.0}},
    }
    return [
        sweep_run(make, f"{name}{share}", CURVE, change=shared(share), **changed[name])
        for name, share in shares.items()
    ]


def test_an_effect_is_alone(make_run: Make) -> None:
    both = sweep_run(make_run, "both", CURVE, batch_size=16, noise=1e-3)
    runs = [*several(make_run), both]
    found = effects.effects(runs)
    assert {name: [value for value, _ in group] for name, group in found.items()} == {
        "batch_size": [256, 64, 16],
        "noise": [0, 1e-3],
        "optimizer.weight_decay": [0, 1],
    }
    assert all(run is not both for group in found.values() for _, run in group)


def test_sweeps_that_are_alike_are_refused(make_run: Make) -> None:
    with pytest.raises(BadInput, match="do not differ in eps, batch_size, noise or weight_decay"):
        effects.effects([sweep_run(make_run, "r"), sweep_run(make_run, "s", steps=500)])


@pytest.mark.parametrize(
    ("replaced", "failing"),
    [({}, []), ({"b16": 0.95}, [1]), ({"b64": 0.4}, [1]), ({"noise": 1.02}, [2]), ({"decay": 0.97}, [4])],
)
def test_claims_of_effects(make_run: Make, replaced: dict[str, float], failing: list[int]) -> None:
    found = effects.claims(several(make_run, **replaced))
    assert [i for i, claim in enumerate(found) if claim.verdict == "FAIL"] == failing
    assert len(found) == 6


@pytest.mark.parametrize(("late", "verdict"), [(1.0, "PASS"), (0.8, "FAIL"), (1.2, "FAIL")])
def test_the_peak_moves_with_the_logarithm_of_eps(make_run: Make, late: float, verdict: str) -> None:
    runs = [sweep_run(make_run, "base", CURVE), stopped(make_run, 1e-8, late), stopped(make_run, 1e-4)]
    found = effects.claims(runs)
    assert [claim.verdict for claim in found] == ["PASS", "PASS", verdict, "PASS"]
    assert found[2].measured == pytest.approx(late, abs=0.03)
    assert found[0].measured == pytest.approx(1, rel=1e-12)


def test_panels_of_effects(make_run: Make) -> None:
    runs = several(make_run)
    figure = effects.draw(runs, labels(runs))
    titles = [panel.get_title() for panel in figure.axes[:3]]
    assert titles == ["batch size", "gradient noise", r"weight decay $\lambda$"]
    texts = [text.get_text() for panel in figure.axes[:3] for text in panel.get_legend().get_texts()]
    assert texts == ["256 (full)", "64", "16", "0", "$10^{-3}$", "0", "1"]
