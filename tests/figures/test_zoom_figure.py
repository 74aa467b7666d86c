"""Would catch: a window that misses the oscillation, a growth that is not the quadratic's, a loss without a peak."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figure_runs import Make
from stabilization_runs import LR, stabilizing_run

from aeos.errors import BadInput
from aeos.figures.edge.zoom import MARGIN, claims, draw, window
from aeos.figures.labels import labels
from aeos.results.read import Run

STEP = np.arange(250)
LEVEL = np.where(STEP < 150, 0.5 + STEP / 250, 1.1 + 0.2 * np.cos((STEP - 150) / 25))  # from 1 at 125 to 0.9 at 228


def blow_up(make_run: Make, name: str = "a", rate: float = 1.0, level: np.ndarray = LEVEL, **columns: Any) -> Run:
    """A run whose x grows by `rate`·log(2·level − 1) a step from 1e-9 on; its loss follows x²."""
    growth = np.where(STEP < 125, 0, rate * np.log(np.maximum(2 * LEVEL - 1, 0.1)))
    x = 1e-9 * (-1.0) ** STEP * np.exp(np.cumsum(growth) - growth)  # the growth of a step shows in the next
    loss = np.exp(-STEP / 100) + 10 * x**2 / np.abs(x).max() ** 2
    made = {"sharpness": level * 2 / LR, "x": x, "train_loss": loss, "projection": np.where(STEP < 125, np.nan, x)}
    return stabilizing_run(make_run, name, made | columns)


def verdicts(run: Run) -> str:
    return "".join(claim.verdict[0] for claim in claims([run]))


def test_the_window_begins_before_the_oscillation_is_seen_and_ends_after_the_sharpness_turned(make_run: Make) -> None:
    run = blow_up(make_run)
    seen = window(run)
    x, step = np.abs(run.table("self_stabilization")["x"]), seen["step"].astype(int)
    assert x[step[0] + MARGIN] >= 0.05 * x.max() > x[step[0] + MARGIN - 1]
    turned = step[-1] - MARGIN
    assert LEVEL[turned] < 1
    assert LEVEL[turned - 1] > LEVEL[turned] < LEVEL[turned + 1]
    assert np.abs(seen["x"][seen.peak]) == x.max()
    assert seen.kept == 125


def test_four_panels_in_which_the_steps_that_tell_stand_out(make_run: Make) -> None:
    run = blow_up(make_run, share=np.where(STEP % 2, 0.9, 0.8), second_x=np.where(STEP % 3, 0.0, 1.0))
    seen = window(run)
    loss, sharp, x, alignment = draw([run], labels([run])).axes
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), seen["train_loss"])
    np.testing.assert_array_equal(x.lines[0].get_ydata(), seen["projection"])
    np.testing.assert_array_equal(x.lines[1].get_ydata(), seen["x"])
    assert [text.get_text() for text in x.get_legend().get_texts()] == [
        "along $u$ of step 125",
        "along $u$ of each step",
    ]
    assert [set(line.get_ydata()) for line in sharp.lines[1:]] == [{1 / LR}, {2 / LR}]
    tells = (seen["step"] % 2 == 1) & (seen["step"] % 3 > 0)
    for line in alignment.lines[1:4:2]:
        np.testing.assert_array_equal(np.isfinite(np.asarray(line.get_ydata(), dtype=float)), tells)


def test_a_blow_up_fulfils_every_claim(make_run: Make) -> None:
    run = blow_up(make_run)
    assert verdicts(run) == "PPPPPP"
    growth = claims([run])[1]
    assert growth.measured == pytest.approx(growth.predicted, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rate": 0.8}, "PFPPPP"),
        ({"x": 1e-3 * np.exp((STEP - 200) / 10)}, "FFPFPP"),
        ({"train_loss": 2 - STEP / 300}, "PPFPPP"),
        ({"cosine": 0.94}, "PPPPFP"),
        ({"ratio": np.where(STEP == 195, 0.85, 1.0)}, "PPPPPF"),
        ({"ratio": np.where(STEP == 195, 0.85, 1.0), "share": np.where(STEP == 195, 0.8, 1.0)}, "PPPPPP"),
        ({"share": 0.5}, "PPPPFF"),  # no step tells
    ],
)
def test_what_is_no_blow_up_or_not_the_models_fails(make_run: Make, change: dict[str, Any], expected: str) -> None:
    assert verdicts(blow_up(make_run, **change)) == expected


def test_what_cannot_be_zoomed_into_is_explained(make_run: Make) -> None:
    with pytest.raises(BadInput, match=r"b: steps are left out; measure each with self_stabilization.every=1"):
        window(blow_up(make_run, "b", step=2 * STEP))
    for name, level in (("c", np.minimum(LEVEL, 0.9)), ("d", np.maximum(LEVEL, 1.02))):
        with pytest.raises(BadInput, match=f"{name}: the sharpness does not rise above its threshold and fall back"):
            window(blow_up(make_run, name, level=level))
    with pytest.raises(BadInput, match=r"2 runs: .* give one"):
        draw([blow_up(make_run, "e"), blow_up(make_run, "f")], ["", ""])
