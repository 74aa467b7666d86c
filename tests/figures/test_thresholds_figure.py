"""Would catch: a run drawn against another's threshold, a claim that holds far from the edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_runs import edge_run
from figure_runs import Make

from aeos.figures.edge.thresholds import claims, draw
from aeos.figures.labels import labels
from aeos.results.read import Run

ADAM = {"name": "adam", "lr": 0.01, "beta1": 0.9, "beta2": 0.999, "freeze": None}


def sweep(make: Make, key: str, values: list[Any], **each: list[Any]) -> list[Run]:
    """One run a value of an optimizer's setting; `level`, `cross` and `threshold` hold one entry a run."""
    runs = []
    for i, value in enumerate(values):
        own = {name: entries[i] for name, entries in each.items()}
        columns = {"threshold": own.pop("threshold", 100.0)}
        runs.append(edge_run(make, f"r{i}", columns=columns, optimizer=ADAM | {key: value}, **own))
    return runs


def verdicts(runs: list[Run]) -> list[str]:
    return [claim.verdict for claim in claims(runs)]


def test_every_threshold_is_dashed_in_its_runs_colour(make_run: Make) -> None:
    runs = sweep(make_run, "lr", [0.01, 0.02], threshold=[200.0, 100.0])
    figure = draw(runs, labels(runs))
    raw, ratio = figure.axes
    data = [line for line in raw.lines if line.get_linestyle() == "-"]
    dashed = [line for line in raw.lines if line.get_linestyle() not in ("-", "None")]
    assert [line.get_color() for line in data] == [line.get_color() for line in dashed]
    assert [set(np.asarray(line.get_ydata())) for line in dashed] == [{200.0}, {100.0}]
    assert raw.get_ylim() == (0, pytest.approx(1.05 * 200 * 1.02))
    assert ratio.get_ylabel() == "sharpness / threshold"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["lr=0.01", "lr=0.02", "threshold"]


def test_thresholds_far_apart_are_on_a_logarithmic_axis(make_run: Make) -> None:
    runs = sweep(make_run, "beta1", [0.5, 0.9], threshold=[10.0, 1000.0])
    assert draw(runs, labels(runs)).axes[0].get_yscale() == "log"


def test_one_threshold_leaves_room_for_the_sharpness_itself(make_run: Make) -> None:
    runs = sweep(make_run, "freeze", [None, 500])
    panels = draw(runs, labels(runs)).axes
    assert [panel.get_ylabel() for panel in panels] == ["sharpness / threshold", "sharpness"]
    dots = [
        np.asarray(line.get_xydata()) for line in panels[0].lines if line.get_marker() == "o" and len(line.get_xdata())
    ]
    assert [dot.tolist() for dot in dots] == [[[500, pytest.approx(1.02)]]]


def test_claims_of_step_sizes(make_run: Make) -> None:
    assert verdicts(sweep(make_run, "lr", [1, 2], level=[1.0, 1.0])) == ["PASS", "PASS"]


def test_a_run_away_from_its_threshold_fails(make_run: Make) -> None:
    assert verdicts(sweep(make_run, "lr", [1, 2], level=[1.0, 0.8])) == ["PASS", "FAIL"]


@pytest.mark.parametrize(("cross", "order"), [([100, 200, 400], "PASS"), ([400, 200, 100], "FAIL")])
def test_a_longer_memory_gets_there_later(make_run: Make, cross: list[int], order: str) -> None:
    runs = sweep(make_run, "beta2", [0.9, 0.99, 0.999], cross=cross)
    assert verdicts(runs) == ["PASS"] * 3 + [order] * 2
    assert verdicts(runs[::-1]) == verdicts(runs)


@pytest.mark.parametrize(("level", "verdict"), [(0.5, "PASS"), (1.0, "FAIL")])
def test_frozen_too_early_it_stays_below(make_run: Make, level: float, verdict: str) -> None:
    runs = sweep(make_run, "freeze", [None, 200, 50], level=[1.0, 1.0, level])
    assert verdicts(runs) == ["PASS", "PASS", verdict]
    assert "too early" in claims(runs)[-1].text
