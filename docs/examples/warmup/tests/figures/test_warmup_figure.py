"""Would catch: a sharpness that stays up while its threshold falls taken for one that follows, a dot out of place."""

from __future__ import annotations

import math

import numpy as np
import pytest
from edge_runs import edge_run
from figure_runs import Make

from aeos.figures.edge.warmup import claims, draw
from aeos.figures.labels import labels
from aeos.results.read import Run

STEPS = np.arange(0, 1001, 10)


def run(make: Make, warmup: int, follows: float = 1.0, start: float = 3.0) -> Run:
    """Sharpness from `start` on by 0.005 a step until 2/η; then as (2/η)^follows. η rises to 1 in `warmup` steps."""
    threshold = 2 / np.minimum((STEPS + 1) / warmup, 1)
    rising = start + 0.005 * STEPS
    met = int(np.argmax(rising >= threshold))
    falling = threshold[met] * (threshold / threshold[met]) ** follows
    sharpness = np.where(np.arange(len(STEPS)) < met, rising, falling)
    columns = {"sharpness": sharpness, "threshold": threshold, "ratio": sharpness / threshold}
    schedule = {"name": "warmup_cosine", "warmup": warmup}
    return edge_run(make, f"w{warmup}-{follows}", columns=columns, schedule=schedule, optimizer={"name": "gd", "lr": 1})


def test_a_run_that_follows_its_threshold_passes(make_run: Make) -> None:
    found = claims([run(make_run, 400), run(make_run, 800)])
    assert [claim.verdict for claim in found] == ["PASS"] * 7
    assert [claim.origin for claim in found] == ["published", "published", "derived"] * 2 + ["measured"]
    follows = found[2]
    # 2/η = 800/(step + 1) is above 3 + 0.005·step until step 190, and 800/201 at step 200.
    assert follows.predicted == pytest.approx(2 / (800 / 201), rel=1e-12)
    assert follows.measured == pytest.approx(follows.predicted, rel=1e-12)


def test_a_sharpness_that_falls_half_as_far_fails(make_run: Make) -> None:
    follows = claims([run(make_run, 800, follows=0.5)])[-1]
    assert follows.verdict == "FAIL"
    assert follows.measured == pytest.approx(math.sqrt(follows.predicted), rel=1e-12)


def test_a_slower_warm_up_that_met_it_lower_fails(make_run: Make) -> None:
    runs = [run(make_run, 400), run(make_run, 800, start=-2.0)]
    for order in (runs, runs[::-1]):
        assert [(claim.origin, claim.verdict) for claim in claims(order)][-1] == ("measured", "FAIL")


def test_a_run_that_never_meets_its_threshold_fails(make_run: Make) -> None:
    below = edge_run(make_run, "below", level=0.5, schedule={"name": "warmup_cosine", "warmup": 200})
    assert [claim.verdict for claim in claims([below])][-1] == "FAIL"


def test_dots_are_at_the_ends_of_warm_ups(make_run: Make) -> None:
    runs = [run(make_run, 400), run(make_run, 800)]
    figure = draw(runs, labels(runs))
    left, right = figure.axes
    for panel, values in ((left, (2.0, 2.0)), (right, (1.0, 1.0))):
        dots = [line for line in panel.lines if line.get_marker() == "o"]
        assert [line.get_xdata()[0] for line in dots] == [400, 800]
        assert [line.get_ydata()[0] for line in dots] == pytest.approx(values, rel=0.01)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["warmup=400", "warmup=800", "threshold"]
