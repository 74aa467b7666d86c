"""Would catch: a general figure that hides the edge, or demands rows of a run that has none yet."""

from __future__ import annotations

import numpy as np
import pytest
from edge_runs import edge_run
from figure_runs import Make

from aeos.errors import BadInput
from aeos.figures.edge.sharpness import claims, draw
from aeos.figures.labels import labels
from aeos.results.schema import SHARPNESS

ADAM = {"name": "adam", "lr": 0.01, "weight_decay": 0.0, "beta1": 0.9}


def test_loss_sharpness_and_ratio_of_every_run(make_run: Make) -> None:
    runs = [edge_run(make_run, "a"), edge_run(make_run, "b", 0.8, optimizer=ADAM)]
    figure = draw(runs, labels(runs))
    panels = {axes.get_ylabel(): axes for axes in figure.axes}
    assert list(panels) == ["train loss", "sharpness", "sharpness / threshold"]
    assert panels["train loss"].get_yscale() == "log"
    ratio = panels["sharpness / threshold"]
    for run, line in zip(runs, ratio.lines[::2], strict=False):
        np.testing.assert_array_equal(line.get_ydata(), run.table("sharpness")["ratio"])
    assert list(ratio.lines[-1].get_ydata()) == [1, 1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["lr=0.001", "lr=0.01", "edge of stability"]
    assert claims(runs) == []


def test_a_run_that_diverged_is_crossed(make_run: Make) -> None:
    ratio = np.append(np.linspace(0.2, 3, 100), np.nan)
    run = edge_run(make_run, "a", columns={"ratio": ratio, "train_loss": ratio})
    figure = draw([run], labels([run]))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["adam (diverged)", "edge of stability"]


def test_no_rows_yet(make_run: Make) -> None:
    run = make_run("empty", [], job="sharpness", finished=False)
    (run.path / "sharpness.csv").write_text(",".join(column.name for column in SHARPNESS) + "\n")
    with pytest.raises(BadInput, match="empty: no rows yet"):
        draw([run], labels([run]))
