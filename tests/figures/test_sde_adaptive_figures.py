"""Would catch: a level held against another formula's, a term's deficit on the wrong SDE, settings before the rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figure_runs import Make
from level_runs import level_run
from sde_runs import sde_run

from aeos.errors import BadInput
from aeos.figures.claims import Claim
from aeos.figures.labels import labels
from aeos.figures.sde import levels, saturation, scaling_losses, stationary
from aeos.results.read import Run


def failing(claims: list[Claim]) -> list[str]:
    return [claim.text for claim in claims if claim.verdict == "FAIL"]


@pytest.mark.parametrize(("theta", "substeps"), [(0.0, 1), (4.0, 1), (0.0, 4)])
def test_the_recursion_of_rmsprop_has_its_own_second_moment_for_preconditioner(
    make_run: Make, theta: float, substeps: int
) -> None:
    optimizer = {"name": "rmsprop", "weight_decay": theta}
    run = level_run(make_run, "r", optimizer, ["new", "prior"], noise=1e-3, substeps=substeps)
    h, lr, lam, s = 1 / substeps, 1e-3, np.array([1.0, 2.0]), 1e-3
    variance = levels.predicted(run, "exact", "new")
    p = np.sqrt(s**2 + lam**2 * variance)
    kept = 1 - h * lr * (theta + lam / p)
    assert variance == pytest.approx(h * lr**2 * (s / p) ** 2 / (1 - kept**2), rel=1e-9)
    prior = levels.predicted(run, "exact", "prior")
    assert list(np.isfinite(prior)) == [True, substeps > 1]  # ηλ/s = 2 at λ = 2, with dt = η


def test_settings_are_those_after_the_scaling_rule(make_run: Make) -> None:
    settings = {"kappa": 2.0, "kappa_decay": False}
    adam = level_run(make_run, "a", {"name": "adam", "weight_decay": 4.0}, **settings)
    assert levels.settings(adam) == pytest.approx({"lr": 2e-3, "noise": 0.05, "weight_decay": 4.0, "beta1": 0.6})
    timed = level_run(make_run, "c", {"name": "adam"}, rho1=50.0, **settings)
    assert levels.settings(timed)["beta1"] == pytest.approx(1 - 4 * 0.05)
    rms = level_run(make_run, "b", {"name": "rmsprop", "weight_decay": 4.0}, kappa=2.0)
    assert levels.settings(rms) == pytest.approx({"lr": 2e-3, "noise": 0.05, "weight_decay": 8.0, "beta1": 0.0})


def test_levels_need_a_quadratic_and_an_end(make_run: Make) -> None:
    run = sde_run(make_run, "s", [0], {"adam": {"train_loss": [1.0]}}, problem={"name": "saddle"}, noise=0.1)
    with pytest.raises(BadInput, match="problem=quadratic"):
        levels.predicted(run, "paper")
    with pytest.raises(BadInput, match=r"averages\.csv"):
        levels.level(run, "new")


@pytest.mark.parametrize(
    ("scale", "failed"),
    [({}, 0), ({"lagged": 0.8}, 1), ({"new": 1.25}, 3), ({"adam": 1.05}, 2), ({"rmsprop": 0.95}, 2)],
)
def test_stationary_claims(make_run: Make, scale: dict[str, float], failed: int) -> None:
    models = {"rmsprop": ["new"], "adam": ["new", "lagged", "noisy"]}
    runs = [
        level_run(make_run, f"{name}{theta}", {"name": name, "weight_decay": theta}, models[name], scale)
        for name in models
        for theta in (0.0, 4.0)
    ]
    assert len(failing(stationary.claims(runs))) == failed
    rms, adam = stationary.draw(runs[::-1], labels(runs)).axes
    assert [panel.get_title() for panel in (rms, adam)] == ["RMSprop(W)", "Adam(W)"]
    assert [len(panel.containers) for panel in (rms, adam)] == [2 * 2, 2 * 4]  # runs of the panel × processes


def test_stationary_figure_needs_an_adaptive_optimizer(make_run: Make) -> None:
    with pytest.raises(BadInput, match="neither rmsprop nor adam"):
        stationary.draw([level_run(make_run, "g", {"name": "gd"}, form="paper")], ["gd"])


KINDS: dict[str, dict[str, Any]] = {
    "base": {},
    "rescaled": {"kappa": 2.0},
    "decay not rescaled": {"kappa": 2.0, "kappa_decay": False},
}


def rule_runs(make: Make, form: str, scale: dict[str, float], thetas: tuple[float, ...] = (4.0, 20.0)) -> list[Run]:
    return [
        level_run(
            make,
            f"{name}{theta}{kind}",
            {"name": name, "weight_decay": theta},
            scale={name: scale.get(kind, 1.0)},
            form=form if theta < 20 else "exact",
            **settings,
        )
        for name in ("rmsprop", "adam")
        for theta in thetas
        for kind, settings in KINDS.items()
    ]


@pytest.mark.parametrize(
    ("scale", "failed"),
    [({}, 0), ({"base": 1.06, "rescaled": 1.06, "decay not rescaled": 1.06}, 8), ({"decay not rescaled": 0.9}, 4)],
)
def test_scaling_claims(make_run: Make, scale: dict[str, float], failed: int) -> None:
    runs = rule_runs(make_run, "paper", scale)
    assert len(failing(scaling_losses.claims(runs))) == failed


def test_the_published_level_is_the_same_before_and_after_the_rule(make_run: Make) -> None:
    base, rescaled, other = rule_runs(make_run, "paper", {}, (4.0,))[3:]
    assert levels.loss(base, "paper") == pytest.approx(3.869e-5, rel=1e-3)
    assert levels.loss(rescaled, "paper") == pytest.approx(levels.loss(base, "paper"), rel=1e-12)
    assert levels.loss(other, "paper") / levels.loss(base, "paper") == pytest.approx(1.126, abs=5e-4)


def test_panels_of_the_rule(make_run: Make) -> None:
    runs = rule_runs(make_run, "paper", {})
    upper, _, lower, _ = scaling_losses.draw(runs, labels(runs)).axes
    assert [len(panel.containers) for panel in (upper, lower)] == [6, 6]
    curves = [line for line in lower.get_lines() if len(line.get_xdata()) == 100]  # type: ignore[arg-type]
    assert len(curves) == 4
    assert max(np.ptp(curve.get_ydata()) for curve in curves[::2]) == 0  # the rule keeps the level
    with pytest.raises(BadInput, match="kappa=2"):
        scaling_losses.draw(runs[:2], labels(runs[:2]))


def grown(make: Make, scale: dict[str, float] | None = None) -> list[Run]:
    found = []
    for noise in (0.1, 1.0, 10.0):
        factor = {key: value ** np.log10(noise * 10) for key, value in (scale or {}).items()}
        for name, decay, how in (
            ("gd", 0.0, {}),
            ("signsgd", 0.0, {}),
            ("adam", 4.0, {}),
            ("adam", 4.0, {"decoupled": False}),
        ):
            optimizer = {"name": name, "weight_decay": decay} | how
            run = f"{name}{len(how)}{noise}"
            found.append(level_run(make, run, optimizer, (), factor, form="corrected", noise=noise))
    return found


@pytest.mark.parametrize(("scale", "failed"), [({}, 0), ({"signsgd": 1.2}, 2), ({"adam": 1.1}, 3), ({"gd": 0.8}, 2)])
def test_saturation_claims(make_run: Make, scale: dict[str, float], failed: int) -> None:
    runs = grown(make_run, scale)
    assert len(failing(saturation.claims(runs))) == failed
    assert saturation.limit(runs[2]) == pytest.approx(1.25e-4)


def test_panels_of_saturation(make_run: Make) -> None:
    runs = grown(make_run)
    left, right = saturation.draw(runs, labels(runs)).axes
    assert len(left.containers) == 4 * 3
    assert len(right.containers) == 4 * 3 * 2
    assert list(saturation.by_optimizer(runs)) == ["SGD", "SignSGD", "Adam + L2", "AdamW"]  # widest at the end first
    with pytest.raises(BadInput, match="one noise"):
        saturation.draw(runs[:4], labels(runs[:4]))
