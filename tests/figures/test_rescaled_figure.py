"""Would catch: runs compared after as many steps instead of samples or with another setting's base, second moments
without their bias correction, and claims that pass where the rule makes no difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figure_runs import Make
from sde_runs import sde_run

from aeos.errors import BadInput
from aeos.figures.labels import labels
from aeos.figures.sde.rescaled import claims, draw, excess, gaps, groups, named
from aeos.results.read import Run

BATCH = 4
BETA2 = 0.99
ADAMW = {"beta2": BETA2, "bias_correction": True, "weight_decay": 4.0}


def loss(seen: np.ndarray) -> np.ndarray:
    return 1 + 2 * np.exp(-seen / 500)


def scaled_run(
    make: Make,
    name: str,
    kappa: float = 1.0,
    decay: bool = True,
    off: float = 0.0,
    signal: float = 0.0,
    noise: float = 0.0,
) -> Run:
    """The loss is a function of the samples alone, `off` above it at the end; Σ = 1/B, ∇L² = `signal`/B of the base."""
    step = np.arange(0, round(400 / kappa**2) + 1, round(16 / kappa**2))
    rate = 1 - kappa**2 * (1 - BETA2)
    v = (1 / kappa**2 + signal) / BATCH * (1 - rate**step)
    seen = step * BATCH * kappa**2
    real = {"train_loss": loss(seen) + off * seen / seen[-1], "v[3]": v, "v[7]": 2 * v}
    sde = real | {"train_loss": real["train_loss"] + 0.01}
    settings: dict[str, Any] = {"kappa": kappa, "kappa_decay": decay, "batch_size": BATCH, "noise": noise}
    settings["optimizer"] = ADAMW
    return sde_run(make, name, step, {"adam": real, "new": sde}, **settings)


def runs(make: Make, prefix: str = "", off: float = 0.0, without: float = 0.3, **both: float) -> list[Run]:
    both = {"signal": 0.01} | both
    return [
        scaled_run(make, f"{prefix}nr", 2.0, decay=False, off=without, **both),
        scaled_run(make, f"{prefix}base", **both),
        scaled_run(make, f"{prefix}r", 2.0, off=off, **both),
    ]


def test_runs_are_compared_after_as_many_samples(make_run: Make) -> None:
    other, base, ruled = runs(make_run)
    np.testing.assert_allclose(gaps(base, ruled)["gap"], 0, atol=1e-12)
    apart = gaps(base, other)
    seen = np.arange(0, 1601, 64)
    np.testing.assert_array_equal(apart.index, seen)
    width = loss(np.zeros(1))[0] - loss(np.array([1600]))[0]
    np.testing.assert_allclose(apart["gap"], 0.3 * seen / 1600 / width, atol=1e-12)
    np.testing.assert_allclose(apart["error"], np.hypot(1e-3, 1e-3) / width)


@pytest.mark.parametrize(("signal", "expected"), [(0.0, 1.0), (1e9, 4.0), (0.5, 4 * (0.25 + 0.5) / 1.5)])
def test_the_excess_is_one_for_noise_and_kappa_squared_for_signal(
    make_run: Make, signal: float, expected: float
) -> None:
    _, base, ruled = runs(make_run, signal=signal)
    found = excess(base, ruled)
    assert found.shape == (25, 2)
    np.testing.assert_allclose(found, expected)


def test_the_three_panels(make_run: Make) -> None:
    three = runs(make_run)
    figure = draw(three, labels(three))
    upper, gap, second = figure.axes
    assert [len(panel.lines) for panel in (upper, gap, second)] == [6, 3, 4]
    np.testing.assert_allclose(gap.lines[0].get_ydata(), 100 * gaps(three[1], three[0])["gap"])
    assert [line.get_ydata()[0] for line in second.lines[2:]] == [1, 4]
    assert upper.lines[0].get_xdata()[-1] == upper.lines[2].get_xdata()[-1] == 1600
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["base", r"$\kappa=2$, decay not scaled", r"$\kappa=2$", "SDEs on the left, bounds on the right"]
    assert named(three[0], plain=True) == "κ = 2, decay not scaled"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"off": 0.01}, ["PASS", "PASS", "PASS"]),
        ({"off": 0.2}, ["PASS", "FAIL", "FAIL"]),
        ({"off": 0.01, "without": 0.015}, ["PASS", "PASS", "FAIL"]),
        ({"off": 0.01, "signal": 0.05}, ["FAIL", "PASS", "PASS"]),
        ({"off": 0.01, "signal": 0.5}, ["FAIL"]),
        ({"off": 0.3, "signal": 0.5}, ["PASS"]),
    ],
)
def test_claims_part_the_rule_from_none_and_its_premise_from_signal(
    make_run: Make, change: Any, expected: list[str]
) -> None:
    assert [claim.verdict for claim in claims(runs(make_run, **change))] == expected


def test_each_setting_has_a_row_and_its_own_base(make_run: Make) -> None:
    quiet, noisy = runs(make_run), runs(make_run, "noisy", noise=0.05, off=0.05)
    found = groups([*quiet, *noisy])
    assert [[run.name for run in (base, *others)] for base, others in found] == [
        ["base", "nr", "r"],
        ["noisybase", "noisynr", "noisyr"],
    ]
    figure = draw([*quiet, *noisy], labels([*quiet, *noisy]))
    assert [panel.get_title() for panel in figure.axes[1::3]] == ["minibatches alone", "with noise 0.05"]
    np.testing.assert_allclose(figure.axes[4].lines[1].get_ydata(), 100 * gaps(found[1][0], found[1][1][1])["gap"])


def test_a_rule_without_a_base_is_explained(make_run: Make) -> None:
    lone = scaled_run(make_run, "r", 2.0)
    for shown in ([lone], [lone, scaled_run(make_run, "other", noise=0.3)]):
        with pytest.raises(BadInput, match="give one run with kappa=1, and at least one that differs in kappa alone"):
            draw(shown, labels(shown))
