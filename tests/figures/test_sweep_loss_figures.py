"""Would catch: a test loss from after the steps that count, the best seed in place of the worst, γ held for β."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_runs import Make
from scipy.stats import spearmanr
from sweep_runs import OPTIMIZER, sweep_run

from aeos.errors import BadInput
from aeos.figures.stability import generalization, grid
from aeos.figures.stability.readings import rank_correlation
from aeos.results.read import Run

GRID = [(beta, gamma) for beta in (0.9, 0.99, 0.999) for gamma in (0.5, 0.9, 0.99)]

Row = dict[str, Any]


def test_ranks_are_those_of_scipy() -> None:
    x, y = pd.Series([3.0, 1.0, 1.0, 7.0, 5.0]), pd.Series([0.1, 0.4, 0.4, 0.4, -2.0])
    assert rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-15)


def late(row: Row, step: np.ndarray) -> np.ndarray:
    """Rises with C in the first tenth, and falls with it later."""
    return np.where(step <= 40, 9 + row["coefficient"], 1 - row["coefficient"])


def reversed_in_one_seed(row: Row, step: np.ndarray) -> np.ndarray:
    return 1 + (-1.0) ** (row["seed"] + 1) * row["coefficient"] + 0 * step


@pytest.mark.parametrize(
    ("loss", "measured"),
    [
        (lambda row, step: 1 - row["coefficient"] + 0 * step, [-1, -1, -1]),
        (late, [1, -1, -1]),
        (reversed_in_one_seed, [1, 1, 1]),
    ],
)
def test_claims_along_the_curve(make_run: Make, loss: Any, measured: list[float]) -> None:
    found = generalization.claims([sweep_run(make_run, "r", seeds=3, loss=loss)])
    assert [claim.measured for claim in found] == pytest.approx(measured, abs=1e-12)
    assert [claim.verdict for claim in found] == ["PASS" if value < 0 else "FAIL" for value in measured]
    assert ["40 steps" in found[0].text, "133 steps" in found[1].text, "400 steps" in found[2].text] == [True] * 3


def test_panels_along_the_curve(make_run: Make) -> None:
    figure = generalization.draw([sweep_run(make_run, "r", seeds=2)], ["adam"])
    curves, best = figure.axes[:2]
    assert len(curves.get_lines()) == generalization.SHOWN
    assert [text.get_text() for text in best.get_legend().get_texts()] == ["40 steps", "133 steps", "400 steps"]
    assert len(best.get_lines()[0].get_xdata()) == 16


def test_a_sweep_without_a_test_set_is_refused(make_run: Make) -> None:
    run = sweep_run(make_run, "r", loss=lambda row, step: np.nan * step)
    with pytest.raises(BadInput, match="choose data with a test set"):
        generalization.claims([run])


def tuned(make: Make, rates: dict[float, Any]) -> list[Run]:
    return [
        sweep_run(make, f"r{lr}", GRID, seeds=2, loss=loss, optimizer=OPTIMIZER | {"lr": lr})
        for lr, loss in rates.items()
    ]


def test_each_point_has_its_own_learning_rate(make_run: Make) -> None:
    runs = tuned(
        make_run,
        {
            0.1: lambda row, step: 1.0 + 0 * step,
            0.2: lambda row, step: (0.5 if row["gamma"] > 0.8 else 2.0) + 0 * step,
            0.3: lambda row, step: (9.0 if row["seed"] else 0.1) + 0 * step,
        },
    )
    table = grid.tuned(runs)
    assert len(table) == len(GRID)
    assert (table["lr"] == np.where(table["gamma"] > 0.8, 0.2, 0.1)).all()
    assert table["loss"].to_numpy() == pytest.approx(np.where(table["gamma"] > 0.8, 0.505, 1.005))
    assert table["high"].to_numpy() == pytest.approx(table["low"] + 0.01)


def test_claims_over_the_plane(make_run: Make) -> None:
    found = grid.claims(tuned(make_run, {0.1: lambda row, step: 1 + row["gamma"] - row["beta"] + 0 * step}))
    assert [claim.text.rpartition(", ")[2] for claim in found[:2]] == ["all points", "C > 0"]  # one has C < 0: too few
    assert [claim.measured for claim in found[2:]] == pytest.approx([-1, -1], abs=1e-12)
    found = grid.claims(tuned(make_run, {0.2: lambda row, step: 1 + row["gamma"] + row["beta"] + 0 * step}))
    assert [claim.verdict for claim in found[2:]] == ["FAIL", "PASS"]


def test_panels_over_the_plane(make_run: Make) -> None:
    figure = grid.draw(tuned(make_run, {0.1: lambda row, step: 1 + row["gamma"] + 0 * step}), ["adam"])
    plane, against = figure.axes[:2]
    cells = plane.collections[0]
    assert cells.get_array().shape == (3, 3)
    assert plane.get_xlim()[0] > plane.get_xlim()[1]
    assert [line.get_label() for line in against.get_lines()[:3]] == [
        r"$\gamma=0.5$",
        r"$\gamma=0.9$",
        r"$\gamma=0.99$",
    ]
    assert all(len(line.get_xdata()) == 3 for line in against.get_lines()[:3])
    assert grid._edges(np.array([0.5, 0.01])) == pytest.approx([1, 0.005**0.5, 0.01 / 50**0.5])
