"""Would catch: the window of another optimizer, a run judged by rows that were not measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_runs import edge_run
from figure_runs import Make

from aeos.errors import BadInput
from aeos.figures.edge.readings import at_the_edge, measured
from aeos.figures.style import looks


@pytest.mark.parametrize(
    ("optimizer", "low", "high"),
    [
        ({"name": "gd"}, 0.95, 1.10),
        ({"name": "nesterov"}, 0.95, 1.10),
        ({"name": "adam", "beta1": 0.9}, 0.90, 1.10),
        ({"name": "adam", "beta1": 0.0}, 0.95, 1.20),
        ({"name": "rmsprop"}, 0.95, 1.20),
        ({"name": "nadam", "beta1": 0.9}, 0.95, 1.20),
        ({"name": "ema", "beta1": 0.9}, 0.95, 1.10),
    ],
)
def test_windows(make_run: Make, optimizer: dict[str, Any], low: float, high: float) -> None:
    levels = {low - 0.03: False, low + 0.03: True, high - 0.03: True, high + 0.03: False}
    for number, (level, inside) in enumerate(levels.items()):
        claims = at_the_edge(edge_run(make_run, f"r{number}", level, optimizer=optimizer), "x")
        assert all(claim.set_after and claim.predicted == 1 for claim in claims)
        assert all(claim.verdict == "PASS" for claim in claims) == inside


def test_momentum_is_judged_by_its_best_fifth(make_run: Make) -> None:
    sagging = {"ratio": np.where(np.arange(0, 1001, 10) < 500, 1.0, 0.7)}
    for name, verdict in [("ema", "PASS"), ("gd", "FAIL")]:
        run = edge_run(make_run, name, columns=sagging, optimizer={"name": name, "beta1": 0.9})
        assert at_the_edge(run, "x")[0].verdict == verdict


def test_rows_without_numbers_are_left_out(make_run: Make) -> None:
    ratio = np.append(np.ones(100), np.nan)
    assert len(measured(edge_run(make_run, "a", columns={"ratio": ratio}))) == 100
    with pytest.raises(BadInput, match="b: nothing finite was measured"):
        measured(edge_run(make_run, "b", columns={"ratio": np.full(101, np.nan)}))


def test_runs_of_one_label_look_alike() -> None:
    assert list(looks(["a", "b", "a"])) == ["a", "b"]
    dark, *_, light = looks(["lr=1", "lr=4", "lr=2", "lr=8"]).values()
    assert sum(dark["color"][:3]) < sum(light["color"][:3])
