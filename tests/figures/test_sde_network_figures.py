"""Would catch: gaps that are no shares of the optimizer's own range, a panel with another run's curves, and claims
that pass for an SDE far off, or for a prior one that is as good as the new."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figure_runs import Make
from sde_runs import sde_run

from aeos.errors import BadInput
from aeos.figures.labels import labels
from aeos.figures.sde.losses import claims, draw, largest, losses, shares, titled
from aeos.results.read import Run

STEP = np.arange(0, 201, 20)
LOSS = 0.25 + 2 * np.exp(-STEP / 40)  # its range: 1.9865
BUMP = STEP / 200 * np.exp(1 - STEP / 200)  # 0 at the start, 1 at the end


def network_run(make: Make, name: str = "a", optimizer: str = "adam", model: str = "mlp", **gaps: Any) -> Run:
    """`gaps`: SDE → its gap at the end, or settings."""
    sdes = {key: gaps.pop(key) for key in ("new", "prior", "empirical", "empirical_full") if key in gaps}
    means = {optimizer: {"train_loss": LOSS, "train_accuracy": LOSS}}
    means |= {key: {"train_loss": LOSS + gap * BUMP, "train_accuracy": LOSS} for key, gap in sdes.items()}
    return sde_run(make, name, STEP, means, model={"name": model}, **gaps)


def verdicts(run: Run) -> list[str]:
    return [claim.verdict for claim in claims([run])]


def test_gaps_are_shares_of_the_range_that_the_optimizer_went_through(make_run: Make) -> None:
    run = network_run(make_run, new=0.02, prior=0.4)
    width = 2 * (1 - np.exp(-5))
    found = shares(run)
    np.testing.assert_allclose(found["new"]["gap"], 0.02 * BUMP / width, atol=1e-12)
    assert largest(found["prior"]) == pytest.approx((0.4 / width, 1e-3 / width, 200))
    assert list(losses(run)) == ["adam", "new", "prior"]
    np.testing.assert_allclose(losses(run)["new"]["mean"], LOSS + 0.02 * BUMP)


def test_signs_do_not_count_and_no_number_is_the_largest_gap(make_run: Make) -> None:
    below = shares(network_run(make_run, new=-0.5))["new"]
    assert largest(below)[::2] == (pytest.approx(0.5 / np.ptp(LOSS)), 200)
    gone = shares(network_run(make_run, "b", new=np.where(STEP < 150, 0.5, np.nan)))["new"]
    assert largest(gone)[::2] == (np.inf, 160)


def test_one_run_stands_side_by_side_several_below_each_other(make_run: Make) -> None:
    alone = network_run(make_run, new=0.02)
    upper, lower = draw([alone], labels([alone])).axes
    assert upper.get_title() == "Adam, MLP"
    np.testing.assert_allclose(upper.lines[0].get_ydata(), LOSS)
    np.testing.assert_allclose(lower.lines[0].get_ydata(), 100 * shares(alone)["new"]["gap"])
    assert lower.get_yscale() == "linear"
    assert sorted(line.get_ydata()[0] for line in lower.lines[1:3]) == [-2, 2]

    runs = [network_run(make_run, f"b{i}", new=0.01 * i, model=name) for i, name in enumerate(["mlp", "vit"] * 3)]
    figure = draw(runs, labels(runs))
    assert len(figure.axes) == 12
    for place, run in enumerate(runs):
        np.testing.assert_allclose(figure.axes[2 * place + 1].lines[0].get_ydata(), 100 * shares(run)["new"]["gap"])
    assert [panel.get_title(loc="left") for panel in figure.axes[::2]] == ["(a)", "(b)", "(c)", "(g)", "(h)", "(i)"]


def test_a_gap_far_off_has_a_logarithmic_axis_and_the_legend_names_all(make_run: Make) -> None:
    runs = [network_run(make_run, new=0.01, prior=0.4), network_run(make_run, "b", optimizer="rmsprop", new=0.01)]
    figure = draw(runs, labels(runs))
    assert [panel.get_yscale() for panel in figure.axes[1::2]] == ["symlog", "linear"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["optimizer", "SDE", "prior SDE"]
    one = draw(runs[:1], labels(runs[:1]))
    assert [text.get_text() for text in one.legends[0].get_texts()] == ["Adam", "SDE", "prior SDE"]


@pytest.mark.parametrize(
    ("settings", "title"),
    [
        ({}, "Adam, MLP"),
        ({"optimizer": "signsgd", "model": "resnet"}, "SignSGD, ResNet"),
        ({"optimizer": "rmsprop", "model": "other"}, "RMSprop, other"),
    ],
)
def test_runs_are_called_by_optimizer_and_network(make_run: Make, settings: Any, title: str) -> None:
    assert titled(network_run(make_run, new=0.0, **settings)) == title


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"new": 0.03}, ["PASS"]),
        ({"new": -0.05}, ["FAIL"]),
        ({"new": 0.05, "model": "cnn"}, ["PASS"]),
        ({"new": 0.07, "model": "cnn"}, ["FAIL"]),
        ({"new": 0.07, "model": "cnn", "error": 0.03}, ["PASS"]),
        ({"new": np.where(STEP < 150, 0.01, np.nan)}, ["FAIL"]),
        ({"new": 0.01, "prior": 0.2}, ["PASS", "PASS"]),
        ({"new": 0.01, "prior": 0.05}, ["PASS", "FAIL"]),
        ({"new": 0.01, "prior": np.nan, "diverged": {"prior": 4}}, ["PASS", "PASS"]),
        ({"new": 0.01, "prior": 0.2, "diverged": {"prior": 40}}, ["PASS", "FAIL"]),
        ({"new": 0.06, "empirical": 0.01, "empirical_full": 0.01}, ["PASS", "PASS", "PASS"]),
        ({"new": 0.02, "empirical": 0.01, "empirical_full": 0.05}, ["FAIL", "PASS", "FAIL"]),
    ],
)
def test_claims_part_near_from_far(make_run: Make, run: Any, expected: list[str]) -> None:
    assert verdicts(network_run(make_run, **run)) == expected


def test_a_loss_that_has_not_moved_is_explained(make_run: Make) -> None:
    still = {name: {"train_loss": [1.0]} for name in ("adam", "new")}
    run = sde_run(make_run, "a", [0], still, model={"name": "mlp"})
    with pytest.raises(BadInput, match="a: its loss has not moved yet; wait"):
        draw([run], labels([run]))


def test_an_analytic_problem_is_called_by_its_name(make_run: Make) -> None:
    run = sde_run(
        make_run,
        "q",
        STEP,
        {"adam": {"train_loss": LOSS}, "new": {"train_loss": LOSS}},
        problem={"name": "quadratic"},
        model=None,
    )
    assert titled(run) == "Adam, quadratic"
    assert verdicts(run) == ["PASS"]
