"""Would catch: batch sizes in the wrong order, a full batch that is called by another size, an error over its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_runs import edge_run
from figure_runs import Make

from aeos.errors import BadInput
from aeos.figures.claims import Claim
from aeos.figures.edge import batch_sharpness, batch_sizes
from aeos.figures.labels import labels
from aeos.results.read import Run

SIZES: list[int | None] = [None, 64, 16]


def sweep(make: Make, levels: list[float], lr: float = 0.4, batch: list[float] | None = None) -> list[Run]:
    """One run a batch size, full, 64, 16; `batch` is the batch sharpness over the threshold of each."""
    runs = []
    for i, (size, level) in enumerate(zip(SIZES, levels, strict=True)):
        columns: dict[str, Any] = {}
        if batch:
            noise = np.random.default_rng(i).normal(size=101)
            columns = {"batch_sharpness": 100 * (batch[i] + 0.01 * noise), "batch_sharpness_error": 1.0}
        optimizer = {"name": "gd", "lr": lr}
        runs.append(edge_run(make, f"r{lr}-{i}", level, columns=columns, batch_size=size, optimizer=optimizer))
    return runs


def verdicts(claims: list[Claim]) -> list[str]:
    return [claim.verdict for claim in claims]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([1.0, 0.9, 0.6], ["PASS"] * 5),
        ([1.0, 0.5, 0.6], ["PASS", "FAIL", "PASS", "PASS", "PASS"]),
        ([0.8, 0.9, 0.6], ["PASS", "PASS", "FAIL", "FAIL", "PASS"]),
        ([1.0, 1.05, 1.05], ["FAIL", "PASS", "FAIL", "PASS", "PASS"]),
    ],
)
def test_claims_of_the_sweep(make_run: Make, levels: list[float], expected: list[str]) -> None:
    assert verdicts(batch_sizes.claims(sweep(make_run, levels))) == expected


def test_panels_of_the_sweep(make_run: Make) -> None:
    runs = sweep(make_run, [1.0, 0.9, 0.6])
    figure = batch_sizes.draw(runs, labels(runs))
    curves, medians = figure.axes
    assert curves.get_title() == "gd"
    assert [tick.get_text() for tick in medians.get_xticklabels()] == ["16", "64", "1000"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["batch size 16", "batch size 64", "full batch (1000)", "threshold"]


def test_late_means_are_of_independent_blocks() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=10), 10)
    assert batch_sharpness.block_error(values) == pytest.approx(np.std(values[::10], ddof=1) / np.sqrt(10))
    assert np.isnan(batch_sharpness.block_error(values[:1]))


def test_claims_of_batch_sharpness(make_run: Make) -> None:
    good = sweep(make_run, [1.0, 0.95, 0.6], 0.8, batch=[1.0, 1.0, 1.0])
    assert verdicts(batch_sharpness.claims(good)) == ["PASS"] * 4
    low = sweep(make_run, [1.0, 0.95, 0.6], 0.4, batch=[0.7, 0.7, 0.7])
    assert verdicts(batch_sharpness.claims([*good, *low])) == ["FAIL"] * 3 + ["PASS"] * 5
    sharp = sweep(make_run, [1.0, 1.0, 1.1], 0.6, batch=[1.0, 1.0, 1.0])
    assert verdicts(batch_sharpness.claims(sharp)) == ["PASS"] * 3 + ["FAIL"]


def test_panels_of_batch_sharpness(make_run: Make) -> None:
    runs = [*sweep(make_run, [1, 1, 1], 0.8, batch=[1, 1, 1]), *sweep(make_run, [1, 1, 1], 0.4, batch=[1, 1, 1])]
    figure = batch_sharpness.draw(runs, labels(runs))
    assert [panel.get_title() for panel in figure.axes] == [r"$\eta = 0.4$", r"$\eta = 0.8$", "late means"]


def test_a_run_without_batch_sharpness_is_refused(make_run: Make) -> None:
    with pytest.raises(BadInput, match=r"no batch sharpness was measured; .* sharpness.batches=16"):
        batch_sharpness.claims(sweep(make_run, [1.0, 1.0, 1.0]))
