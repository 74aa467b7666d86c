"""Would catch: a window that misses the oscillation, a growth that is not the quadratic's, a loss without a peak."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from edge_runs import edge_run
from figure_runs import Make, csv

from aeos.errors import BadInput
from aeos.figures.edge.zoom import MARGIN, claims, draw, window
from aeos.figures.labels import labels
from aeos.results.read import Run

STEP = np.arange(250)
RATIO = np.where(STEP < 150, 0.5 + STEP / 250, 1.1 + 0.2 * np.cos((STEP - 150) / 25))  # from 1 at 125 to 0.9 at 228
GD = {"name": "gd", "lr": 0.4}


def blow_up(make_run: Make, name: str = "a", rate: float = 1.0, optimizer: Any = GD, **columns: Any) -> Run:
    """A run whose x grows by `rate`·log(2·ratio − 1) a step from 1e-9 on; its loss follows x²."""
    growth = np.where(STEP < 125, 0, rate * np.log(np.maximum(2 * RATIO - 1, 0.1)))
    x = 1e-9 * (-1.0) ** STEP * np.exp(np.cumsum(growth) - growth)  # the growth of a step shows in the next
    made = {"step": STEP, "ratio": RATIO, "displacement": x, "threshold": 5.0, "process": "gd", "train_loss": 1.0}
    run = edge_run(make_run, name, steps=2490, columns=made | columns, optimizer=optimizer)
    loss = np.exp(-STEP / 100) + 10 * x**2 / np.abs(x).max() ** 2
    (run.path / "metrics.csv").write_text(csv([{"step": s, "train_loss": v} for s, v in enumerate(loss)]))
    entries = [{"step": s, "operator": "preconditioned", "index": i, "value": 5.0 - i} for s in STEP for i in (1, 2)]
    pd.DataFrame(entries).to_csv(run.path / "eigenvalues.csv", index=False)
    return run


def test_the_window_begins_before_the_oscillation_is_seen_and_ends_after_the_sharpness_turned(make_run: Make) -> None:
    run = blow_up(make_run)
    seen = window(run)
    x = np.abs(run.table("sharpness")["displacement"])
    assert x[seen.step[0] + MARGIN] >= 0.05 * x.max() > x[seen.step[0] + MARGIN - 1]
    turned = int(seen.step[-1]) - MARGIN
    assert RATIO[turned] < 1
    assert RATIO[turned - 1] > RATIO[turned] < RATIO[turned + 1]
    assert np.abs(seen.x[seen.peak]) == x.max()


def test_four_panels_with_what_the_quadratic_predicts(make_run: Make) -> None:
    run = blow_up(make_run)
    seen = window(run)
    loss, sharp, x, size = draw([run], labels([run])).axes
    np.testing.assert_array_equal(x.lines[0].get_ydata(), seen.x)
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), seen.loss)
    assert [text.get_text() for text in sharp.get_legend().get_texts()] == [r"$\lambda_1$", r"$\lambda_2$", "threshold"]
    assert set(sharp.lines[1].get_ydata()) == {3.0}
    dashed = size.lines[1]
    np.testing.assert_allclose(dashed.get_ydata(), np.abs(seen.x[: seen.peak + 1]), rtol=1e-6)
    assert size.get_yscale() == "log"


def test_a_blow_up_fulfils_every_claim(make_run: Make) -> None:
    found = claims([blow_up(make_run)])
    assert [claim.verdict for claim in found] == ["PASS"] * 4
    assert found[1].measured == pytest.approx(found[1].predicted, rel=1e-6)


def test_what_is_no_blow_up_fails(make_run: Make) -> None:
    assert claims([blow_up(make_run, "slow", rate=0.8)])[1].verdict == "FAIL"
    one_sided = np.abs(blow_up(make_run, "b").table("sharpness")["displacement"])
    assert claims([blow_up(make_run, "c", displacement=one_sided)])[0].verdict == "FAIL"
    steady = blow_up(make_run, "d")
    (steady.path / "metrics.csv").write_text(csv([{"step": s, "train_loss": 2 - s / 300} for s in STEP]))
    assert [claim.verdict for claim in claims([steady])[1:3]] == ["PASS", "FAIL"]


def test_what_cannot_be_zoomed_into_is_explained(make_run: Make) -> None:
    with pytest.raises(BadInput, match="a: with momentum"):
        window(blow_up(make_run, "a", optimizer={"name": "adam", "lr": 0.1}))
    with pytest.raises(BadInput, match=r"b: steps are left out; measure each with every=1"):
        window(blow_up(make_run, "b", step=2 * STEP))
    for name, ratio in (("c", np.minimum(RATIO, 0.9)), ("d", np.maximum(RATIO, 1.02))):
        with pytest.raises(BadInput, match=f"{name}: the sharpness does not rise above its threshold and fall back"):
            window(blow_up(make_run, name, ratio=ratio))
    with pytest.raises(BadInput, match=r"2 runs: .* give one"):
        draw([blow_up(make_run, "e"), blow_up(make_run, "f")], ["", ""])
