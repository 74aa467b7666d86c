"""Would catch: a threshold in another run's colour, a loss that only falls and passes, a control that is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_runs import edge_run
from figure_runs import Make, csv

from aeos.figures.claims import Claim
from aeos.figures.edge import step_sizes, trajectory
from aeos.figures.labels import labels
from aeos.results.read import Run


def with_loss(run: Run, loss: np.ndarray, every: int = 1) -> Run:
    """The run with this train loss in its metrics.csv."""
    rows = [{"step": every * step, "process": "gd", "train_loss": value} for step, value in enumerate(loss)]
    (run.path / "metrics.csv").write_text(csv(rows))
    return run


def gd(make_run: Make, lr: float, level: float = 1.0, **columns: Any) -> Run:
    threshold = {"threshold": 2 / lr, **columns}
    return edge_run(make_run, f"gd-{lr}", level, columns=threshold, optimizer={"name": "gd", "lr": lr})


def spiky(steps: int = 200) -> np.ndarray:
    """Every fourth step up, over the long run down."""
    return np.exp(-0.02 * np.arange(steps)) * (1 + 0.5 * (np.arange(steps) % 4 == 3))


def verdicts(claims: list[Claim]) -> list[str]:
    return [claim.verdict for claim in claims]


def test_each_run_has_its_loss_its_sharpness_and_its_threshold(make_run: Make) -> None:
    runs = [with_loss(gd(make_run, lr), spiky()) for lr in (0.2, 0.4)]
    figure = trajectory.draw(runs, labels(runs))
    loss, sharp = figure.axes
    np.testing.assert_allclose(loss.lines[0].get_ydata(), spiky())
    for number, threshold in enumerate((10.0, 5.0)):
        data, dashed = sharp.lines[2 * number : 2 * number + 2]
        assert set(dashed.get_ydata()) == {threshold}
        assert data.get_color() == dashed.get_color() == loss.lines[number].get_color()
    assert sharp.get_ylim() == (0, pytest.approx(1.08 * 10 * 1.02))
    assert sharp.get_ylabel() == "preconditioned sharpness"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["lr=0.2", "lr=0.4", "threshold"]


def test_without_a_preconditioner_it_is_the_sharpness(make_run: Make) -> None:
    run = gd(make_run, 0.4)
    table = run.table("sharpness")
    table["sharpness"] = table["preconditioned_sharpness"]
    table.to_csv(run.path / "sharpness.csv", index=False)
    figure = trajectory.draw([run], labels([run]))
    assert figure.axes[1].get_ylabel() == "sharpness"
    assert figure.axes[1].lines[1].get_color() == "black"


def test_the_loss_has_to_rise_often_and_fall_in_the_long_run(make_run: Make) -> None:
    run = gd(make_run, 0.4)
    falls = np.exp(-0.02 * np.arange(200))
    for loss, expected in [(spiky(), "PASS PASS"), (falls, "FAIL PASS"), (spiky()[::-1], "PASS FAIL")]:
        claims = trajectory.claims([with_loss(run, loss)])
        assert verdicts(claims) == ["PASS", "PASS", *expected.split()]
    assert trajectory.claims([with_loss(run, spiky())])[2].measured == pytest.approx(50 / 199, abs=0.01)
    assert (
        len(trajectory.claims([with_loss(run, spiky(), every=10)])) == 2
    )  # rises between measurements are not counted


def test_the_smallest_step_size_is_the_control(make_run: Make) -> None:
    falls = np.exp(-0.02 * np.arange(101))
    at, below = with_loss(gd(make_run, 0.4), spiky()), with_loss(gd(make_run, 0.2, 0.7), falls)
    assert verdicts(step_sizes.claims([at, below])) == ["PASS"] * 4
    assert verdicts(step_sizes.claims([at, with_loss(below, spiky())])) == ["PASS"] * 3 + ["FAIL"]
    above = with_loss(gd(make_run, 0.1, 1.02), falls)
    found = step_sizes.claims([at, above])
    assert verdicts(found) == ["PASS", "PASS", "FAIL", "PASS"]
    assert found[2].measured == pytest.approx(1.04)
    off = with_loss(gd(make_run, 0.5, 0.7), spiky())
    assert verdicts(step_sizes.claims([off, below]))[0] == "FAIL"
