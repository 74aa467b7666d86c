"""Would catch: runs compared at equal step instead of equal loss, or from before P was frozen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_runs import edge_run
from figure_runs import Make

from aeos.figures.edge.advance import at_equal_loss, claims, draw
from aeos.figures.labels import labels
from aeos.results.read import Run

STEP = np.arange(0, 1001, 10)


def run(make: Make, name: str, rate: float, freeze: int | None, gain: float = 1.0) -> Run:
    """Loss e^(−rate·step); sharpness a function of the loss, after step 200 `gain` times as large."""
    loss = np.exp(-rate * STEP)
    columns: dict[str, Any] = {"train_loss": loss, "sharpness": (3 - np.log(loss)) * np.where(STEP > 200, gain, 1.0)}
    return edge_run(make, name, columns=columns, optimizer={"name": "rmsprop", "lr": 0.001, "freeze": freeze})


def test_the_same_path_at_another_pace_is_as_sharp(make_run: Make) -> None:
    slow, fast = run(make_run, "slow", 0.002, freeze=200), run(make_run, "fast", 0.004, freeze=None)
    assert at_equal_loss(fast, slow) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("gain", "verdict"), [(1.2, "PASS"), (0.8, "FAIL")])
def test_adapting_against_frozen(make_run: Make, gain: float, verdict: str) -> None:
    adapting, frozen = run(make_run, "a", 0.003, None, gain), run(make_run, "f", 0.003, 200)
    (claim,) = claims([frozen, adapting])
    assert claim.measured == pytest.approx(gain)
    assert claim.verdict == verdict


def test_a_loss_that_rises_again_is_met_where_it_was_first(make_run: Make) -> None:
    one = run(make_run, "a", 0.003, 200)
    table = one.table("sharpness")
    table.loc[60:, "train_loss"] = 1.0
    table.loc[60:, "sharpness"] = 99.0
    table.to_csv(one.path / "sharpness.csv", index=False)
    assert at_equal_loss(run(make_run, "b", 0.003, None), one) == pytest.approx(1.0)


def test_the_loss_falls_to_the_right_and_a_dot_says_where(make_run: Make) -> None:
    runs = [run(make_run, "a", 0.003, None), run(make_run, "f", 0.003, 200)]
    figure = draw(runs, labels(runs))
    (panel,) = figure.axes
    left, right = panel.get_xlim()
    assert left > right
    dots = [np.asarray(line.get_xydata()) for line in panel.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert [dot[0, 0] for dot in dots] == [pytest.approx(np.exp(-0.6))]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["P adapts", "P frozen at step 200"]
