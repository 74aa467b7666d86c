"""Would catch: a phase's model held against the wrong phase, a bound begun elsewhere, a wrong law beside a run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from figure_runs import Make, decay
from walk_runs import TRUE, Change, sgd_run, walk_run

from aeos.errors import BadInput
from aeos.figures.claims import Claim
from aeos.figures.sde import bounds, moments, phases, schedulers, walks
from aeos.results.read import Run
from aeos.theory import sde


def failing(claims: list[Claim]) -> list[str]:
    return [claim.text for claim in claims if claim.verdict == "FAIL"]


def changed(process: str, quantity: str, factor: Any) -> Change:
    """Of one process, one quantity times a factor, a number or a function of its values."""

    def change(p: str, q: str, values: np.ndarray) -> np.ndarray:
        hit = (p, q) == (process, quantity)
        return values * (factor(values) if callable(factor) else factor) if hit else values

    return change


def scheduled(make: Make, name: str, p: float, factor: Any = 1.0, process: str = "signsgd") -> Run:
    def law(setting: walks.Setting, i: int, step: np.ndarray) -> Any:
        t = step * setting.lr
        mean, second = sde.scheduled_moments(t, setting.start[i], setting.curvature[i], setting.noise, setting.lr, p)
        return np.asarray(mean), np.asarray(second)

    settings = {"law": law, "schedule": {"name": "power", "p": p, "rate": 2.5e-3}, "lr": 2.5e-3, "start": 0.02}
    return walk_run(make, name, 40_000, every=200, change=changed(process, "train_loss", factor), **settings)


def test_the_exact_law_is_that_of_two_steps() -> None:
    setting = walks.Setting([2.0], [0.05], 0.1, math.inf, 0.01)
    drift = [math.erf(2 * x / 0.1 / math.sqrt(2)) for x in (0.05, 0.06, 0.04)]  # there, after one step up, one down
    up, down = (1 - drift[0]) / 2, (1 + drift[0]) / 2
    ends = {0.07: up * (1 - drift[1]) / 2, 0.03: down * (1 + drift[2]) / 2}
    ends[0.05] = 1 - sum(ends.values())
    mean, second = walks.exact(setting, 0, np.array([0, 2]))
    assert mean == pytest.approx([0.05, sum(x * p for x, p in ends.items())], rel=1e-12)
    assert second == pytest.approx([0.05**2, sum(x * x * p for x, p in ends.items())], rel=1e-12)


def test_only_runs_of_signsgd_on_a_quadratic(make_run: Make) -> None:
    other = make_run("a", decay(), job="sde_compare")
    for module in (phases, bounds, moments, schedulers):
        with pytest.raises(
            BadInput, match="this figure needs a run of sde-compare, optimizer=signsgd, problem=quadratic"
        ):
            module.draw([other], [""])
    with pytest.raises(BadInput, match="optimizer=signsgd"):
        phases.claims([sgd_run(make_run, "g", 3.0)])
    with pytest.raises(BadInput, match=r"schedule\.rate=optimizer\.lr"):
        schedulers.claims([walk_run(make_run, "c", 100, schedule={"name": "power", "p": 0.5, "rate": 1.0})])
    with pytest.raises(BadInput, match="no rows of theta"):
        walks.series(walk_run(make_run, "r", 100), "new", "theta[7]")


def test_phases_that_a_run_does_not_see_have_no_claims(make_run: Make) -> None:
    near, far = walk_run(make_run, "near", 1000, 0.01), walk_run(make_run, "far", 100)
    for run, seen in ((near, "linear SDE"), (far, "largest |E X − ODE|")):
        texts = [claim.text for claim in phases.claims([run]) if "exact law" not in claim.text]
        assert texts
        assert all(seen in text for text in texts)
        phases.draw([run], [""])
    assert not any("until all" in claim.text for claim in bounds.claims([near]))
    assert not any("from where all" in claim.text for claim in bounds.claims([far]))
    assert len(bounds.draw([far], [""]).axes[0].get_lines()) == 1 + 2 + 4


@pytest.mark.parametrize(("change", "parts"), [
    (TRUE, []),
    # slower by a tenth from the start: behind the ODE, below the band of phase 2 and away from the law
    (changed("new", "theta[0]", lambda x: 1 + 0.3 * (0.5 - x)), ["> 3/2", "mean speed", "exact law"]),
    (changed("new", "theta[1]", lambda x: np.where(np.abs(x) < 0.015, 1.1, 1.0)), ["linear SDE", "exact law"]),
])  # fmt: skip
def test_claims_of_the_phases(make_run: Make, change: Change, parts: list[str]) -> None:
    found = failing(phases.claims([walk_run(make_run, "r", change=change)]))
    assert len(found) == len(parts)
    assert all(part in text for part, text in zip(parts, found, strict=True))


def test_panels_of_the_phases(make_run: Make) -> None:
    run = walk_run(make_run, "r")
    signals, drifts, variances = phases.draw([run], [""]).axes[:3]
    first = signals.get_lines()[0].get_xydata()
    assert first[0] == pytest.approx([0, 0.5 / (0.1 * math.sqrt(2))])
    mode = phases.modes(run)[1]
    t, mean, variance = mode.linear()
    assert mode.scale * mean[0] < phases.LINEAR
    assert variance[-1] == pytest.approx(float(sde.stationary_variance("signsgd", 2.0, 0.1, 1e-3)), rel=1e-6)
    speeds = np.concatenate([line.get_xydata() for line in drifts.get_lines() if line.get_marker() in ("o", "x")])
    y, speed = speeds[speeds[:, 0] > 1.7].T
    assert speed == pytest.approx([math.erf(one) for one in y], abs=3e-3)
    assert len(variances.get_lines()) == 2 * 3
    assert len(t) == len(mean)


@pytest.mark.parametrize(("change", "parts"), [
    (TRUE, []),
    (changed("signsgd", "train_loss", 1.1), ["any time", "t = 1"]),
    (changed("new", "train_loss", lambda x: np.where(x < 1e-4, 1.03, 1.0)), ["the SDE: largest", "the SDE: E f"]),
])  # fmt: skip
def test_claims_of_the_bounds(make_run: Make, change: Change, parts: list[str]) -> None:
    found = failing(bounds.claims([walk_run(make_run, "r", change=change)]))
    assert len(found) == len(parts)
    assert all(part in text for part, text in zip(parts, found, strict=True))


def test_losses_and_bounds_are_those_of_the_sheet(make_run: Make) -> None:
    """Values of /theory: E f at six times, bound 1 at three, and the failure of bound 3 from |Y| = 0.999 at two."""
    found = bounds.losses(walk_run(make_run, "r"))
    at = [int(np.argmin(np.abs(found.t - t))) for t in (0.2, 0.4, 0.6, 0.8, 1.0, 2.0)]
    assert found.exact[at] == pytest.approx([0.13502, 0.016732, 4.245e-4, 7.659e-5, 6.352e-5, 6.2961e-5], rel=2e-4)
    assert found.bound(1, "paper")[at[:2]] == pytest.approx([0.2625, 0.1701], abs=6e-5)
    assert 0.43 < found.t[found.phase3] < 0.5
    over = bounds.alone(found.setting, 0.999)
    ratio = over.exact / over.bound(3, "paper")
    assert ratio[[60, 240]] == pytest.approx([4.600 / 3.836, 3.276 / 2.440], rel=5e-4)
    assert (over.exact <= over.bound(3, "corrected") * (1 + 1e-12)).all()


def test_panels_of_the_bounds(make_run: Make) -> None:
    run, second, third = bounds.draw([walk_run(make_run, "r")], [""]).axes
    assert run.get_yscale() == "log"
    assert len(second.get_lines()) == 3
    ends = [line.get_ydata()[-1] for line in third.get_lines()[: 2 * len(bounds.STARTS)]]
    assert min(ends[::2]) > 1 > max(ends[1::2])


def own(factor: float = 1.0, process: str = "", quantity: str = "") -> Change:
    """The SDE's stationary variances are its own, not the optimizer's; one of them times a factor."""
    again = changed(process, quantity, factor)

    def change(p: str, q: str, values: np.ndarray) -> np.ndarray:
        if p == "new" and q.endswith("^2"):
            how = 2.0 ** int(q[6]), 0.1, 1e-3
            values = values * sde.fokker_planck_variance(*how) / sde.lattice_variance(*how)
        return again(p, q, values)

    return change


@pytest.mark.parametrize(("change", "parts"), [
    (own(), []),
    (own(1.06, "signsgd", "theta[0]^2"), ["λ=1: E X² of SignSGD in the end, closed", "λ=1: E X² of SignSGD"]),
    (own(0.95, "new", "theta[2]^2"), ["λ=4: E X² of SDE in the end, exact"]),
])  # fmt: skip
def test_claims_of_the_moments(make_run: Make, change: Change, parts: list[str]) -> None:
    run = walk_run(make_run, "r", 3000, 0.02, (1.0, 2.0, 4.0), change=change)
    found = failing(moments.claims([run]))
    assert len(found) == len(parts)
    assert all(text.startswith(part) for part, text in zip(parts, found, strict=True))


def test_panels_of_the_moments(make_run: Make) -> None:
    means, variances, ratios = moments.draw([walk_run(make_run, "r", 3000, 0.02, (1.0, 4.0))], [""]).axes
    assert means.get_yscale() == "log"
    own, published = (variances.get_lines()[-k].get_ydata()[-1] for k in (2, 1))
    assert own / published == pytest.approx(1.0287, abs=2e-4)
    assert [label.get_text() for label in ratios.get_xticklabels()] == ["1", "4"]


def test_claims_of_the_schedulers(make_run: Make) -> None:
    good = [scheduled(make_run, f"p{p}", p) for p in (0.1, 0.5, 2.0)]
    claims = schedulers.claims(good)
    assert failing(claims) == []
    stalled = [claim for claim in claims if "p=2, SignSGD" in claim.text]
    assert [claim.predicted for claim in stalled] == pytest.approx([2.63, 60.5], rel=2e-3)
    off = [scheduled(make_run, "a", 0.5, 1.05), scheduled(make_run, "b", 2.0, 0.9, "new")]
    found = failing(schedulers.claims(off))
    assert [text.split(":")[0] for text in found] == ["p=0.5, SignSGD", "p=2, SDE", "p=2, SDE"]


def test_panels_of_the_schedulers(make_run: Make) -> None:
    runs = [scheduled(make_run, f"p{p}", p) for p in (0.5, 2.0)]
    losses, ratios = schedulers.draw(runs, ["", ""]).axes
    assert ratios.get_lines()[-1].get_ydata()[0] == 1.5  # the published bound, L_τ/μ over the number of modes
    level = next(line for line in losses.get_lines() if line.get_linewidth() == schedulers.LEVEL["linewidth"])
    t, f = level.get_xydata().T
    assert f == pytest.approx(2 * 2.5e-3 * 0.1 * math.sqrt(math.pi / 2) / 4 / np.sqrt(1 + t), rel=1e-9)
