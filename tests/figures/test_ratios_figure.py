"""Would catch: a panel that shows another run, or claims that let a run with noisy labels drift anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_runs import edge_run
from figure_runs import Make

from aeos.figures.claims import Claim
from aeos.figures.edge import label_noise, ratios, small_multiples
from aeos.figures.labels import labels
from aeos.results.read import Run

STEP = np.arange(0, 1001, 10)
GD, ADAM = {"name": "gd", "lr": 0.4}, {"name": "adam", "lr": 0.01, "beta1": 0.9}


def verdicts(claims: list[Claim]) -> list[str]:
    return [claim.verdict for claim in claims]


@pytest.fixture
def pair(make_run: Make) -> list[Run]:
    return [edge_run(make_run, "a", optimizer=GD), edge_run(make_run, "b", 0.97, optimizer=ADAM)]


def test_loss_and_ratio_side_by_side(pair: list[Run]) -> None:
    figure = ratios.draw(pair, labels(pair))
    loss, ratio = figure.axes
    for run, left, right in zip(pair, loss.lines, ratio.lines, strict=False):
        table = run.table("sharpness")
        np.testing.assert_allclose(left.get_ydata(), table["train_loss"])
        np.testing.assert_allclose(right.get_ydata(), table["ratio"])
    assert list(ratio.lines[-1].get_ydata()) == [1, 1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["gd", "adam"]
    assert verdicts(ratios.claims(pair)) == ["PASS"] * 3


@pytest.mark.parametrize(("last", "labelled"), [(0.02, ["0.02", "0.05", "0.1", "0.2", "0.5", "1"]), (1e-5, None)])
def test_a_short_logarithmic_axis_has_more_labels(make_run: Make, last: float, labelled: list[str] | None) -> None:
    run = edge_run(make_run, "a", columns={"train_loss": np.geomspace(1, last, len(STEP))})
    figure = ratios.draw([run], labels([run]))
    figure.canvas.draw()
    panel = figure.axes[0]
    low, high = panel.get_ylim()
    shown = [text.get_text() for text in panel.get_yticklabels() if low <= text.get_position()[1] <= high]
    assert labelled is None or shown == labelled
    assert (shown[-1] == "1") == (labelled is not None)
    assert not any(text.get_text() for text in panel.get_yticklabels(minor=True))


def test_a_panel_a_setting(pair: list[Run], make_run: Make) -> None:
    again = edge_run(make_run, "c", 0.98, optimizer=ADAM, seed=1)
    runs = [*pair, again]
    figure = small_multiples.draw(runs, labels(runs))
    assert [panel.get_title() for panel in figure.axes] == ["gd", "adam"]
    assert [panel.texts[0].get_text() for panel in figure.axes] == [r"$\eta = 0.4$", r"$\eta = 0.01$"]
    assert [len(panel.lines) for panel in figure.axes] == [2, 3]
    assert [panel.get_ylabel() for panel in figure.axes] == ["sharpness / threshold", ""]
    assert len({panel.get_ylim() for panel in figure.axes}) == 1
    assert verdicts(small_multiples.claims(runs)) == ["PASS"] * 4
    assert "FAIL" in verdicts(small_multiples.claims([edge_run(make_run, "d", 0.8, optimizer=GD)]))


def test_many_panels_fill_rows(make_run: Make) -> None:
    runs = [edge_run(make_run, f"r{i}", optimizer=GD | {"lr": 0.1 * (i + 1)}) for i in range(7)]
    figure = small_multiples.draw(runs, labels(runs))
    assert len(figure.axes) == 7
    assert not any(panel.texts for panel in figure.axes)  # the step size is in the title already
    assert [panel.get_xlabel() for panel in figure.axes] == ["", "", "", "step", "step", "step", "step"]


def noisy(make_run: Make, name: str, noise: float, ratio: np.ndarray, last_loss: float) -> Run:
    columns: dict[str, Any] = {"ratio": ratio, "train_loss": np.geomspace(2.0, last_loss, len(STEP))}
    data = {"name": "digits", "label_noise": noise}
    return edge_run(make_run, name, columns=columns, optimizer=GD, data=data)


RISE = np.minimum(0.2 + STEP / 250, 1.1)
PEAK = np.where(STEP < 300, RISE, 1.1 * np.exp(-(STEP - 300) / 200))


@pytest.mark.parametrize(
    ("noise", "ratio", "last_loss", "expected"),
    [
        (0.0, 0.3 * np.exp(-STEP / 200), 1e-3, ["PASS", "PASS"]),
        (0.0, PEAK, 1e-3, ["FAIL", "PASS"]),
        (0.2, PEAK, 1e-3, ["PASS", "PASS"]),
        (0.2, 0.5 * PEAK, 1e-3, ["FAIL", "PASS"]),
        (0.2, RISE, 1e-3, ["PASS", "FAIL"]),
        (0.4, RISE, 0.3, ["PASS", "PASS", "PASS"]),
        (0.4, PEAK, 0.3, ["PASS", "FAIL", "PASS"]),
        (0.4, 1.5 * RISE, 0.3, ["PASS", "PASS", "FAIL"]),
    ],
)
def test_noise_and_loss_decide_what_is_claimed(
    make_run: Make, noise: float, ratio: np.ndarray, last_loss: float, expected: list[str]
) -> None:
    assert verdicts(label_noise.claims([noisy(make_run, "a", noise, ratio, last_loss)])) == expected
