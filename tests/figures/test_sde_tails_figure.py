"""Would catch: a level where there is none, Cauchy's law in a wrong scale, an order read where errors change sign."""

from __future__ import annotations

import math

import numpy as np
import pytest
from figure_runs import Make
from walk_runs import sgd_run, walk_run

from aeos.errors import BadInput
from aeos.figures.sde import orders, tails
from aeos.results.read import Run
from aeos.theory import sde

NUS = (1.0, 3.0, 5.0, None)


def runs(make: Make) -> list[Run]:
    signs = [walk_run(make, f"s{nu}", 3000, 0.02, nu=nu, every=50) for nu in NUS]
    return [*signs, *(sgd_run(make, f"g{nu}", nu) for nu in (*NUS, 2.0)), sgd_run(make, "slow", 1.0, lr=1e-3)]


def test_claims_of_the_tails(make_run: Make) -> None:
    claims = tails.claims(runs(make_run))
    assert [claim.text for claim in claims if claim.verdict == "FAIL"] == []
    assert not any("SGD, ν=2" in claim.text for claim in claims)
    levels = [claim.predicted for claim in claims if "SGD, ν=5, η=0.01: E f" in claim.text]
    exact = sum(1e-2 * 0.01 * 5 / 3 / (2 - 1e-2 * h) for h in (1.0, 2.0)) / 2
    assert levels == [pytest.approx(exact)]


@pytest.mark.parametrize(("nu", "failing"), [(None, 1), (5.0, 1), (3.0, 1), (1.0, 2)])
def test_a_level_or_a_scale_that_is_not_its_own(make_run: Make, nu: float | None, failing: int) -> None:
    claims = tails.claims([sgd_run(make_run, "g", nu, share=1.3)])
    assert sum(claim.verdict == "FAIL" for claim in claims) == failing


def test_means_of_groups_that_agree_are_no_cauchy_noise(make_run: Make) -> None:
    run = sgd_run(make_run, "g", 1.0)
    paths = run.table("paths")
    paths.assign(value=paths["value"].clip(-0.5, 0.5)).to_csv(run.path / "paths.csv", index=False)
    groups = tails.claims([run])[-1]
    assert "largest over smallest" in groups.text
    assert groups.verdict == "FAIL"


def test_panels_of_the_tails(make_run: Make) -> None:
    sign, sgd, far, groups = tails.draw(runs(make_run), [""]).axes
    assert len(sign.get_lines()) == 2 * len(NUS)
    assert len(sgd.get_lines()) == 2 * 3 + 2  # no level for ν = 1 and 2
    r, share = far.get_lines()[-1].get_xydata().T
    assert np.interp(1.0, r, share) == pytest.approx(0.5, abs=1e-3)
    drawn = max(far.get_lines()[:-1], key=lambda line: line.get_xdata()[-1])
    at = np.array([0.3, 1.0, 10.0])
    assert np.interp(at, *drawn.get_xydata().T) == pytest.approx(1 - 2 / math.pi * np.arctan(at), rel=2e-2)
    assert [label.get_text() for label in groups.get_xticklabels()] == ["$1$", "$2$", "$3$", "$5$", r"$\infty$"]


def test_runs_without_paths_are_refused(make_run: Make) -> None:
    run = sgd_run(make_run, "g", 1.0)
    header = (run.path / "paths.csv").read_text().split("\n")[0]
    (run.path / "paths.csv").write_text(header + "\n")
    with pytest.raises(BadInput, match="no single paths there"):
        tails.draw([run], [""])


def test_orders_are_those_of_the_sheet() -> None:
    """Local slopes of x², cos 2x and x⁴, whose error changes its sign; Adam's three SDEs by their variance."""
    slopes = sde.observed_order(orders.errors(None, math.inf), orders.LRS)[:4].T
    assert slopes[0] == pytest.approx([0.84, 0.93, 0.97, 0.98], abs=6e-3)
    assert slopes[1] == pytest.approx([0.98, 0.99, 1.00, 1.00], abs=6e-3)
    assert slopes[2] == pytest.approx([0.70, 0.10, 0.71, 0.88], abs=9e-3)
    adam = {p: sde.observed_order(orders.adam_errors(p), orders.ADAM_LRS)[2] for p in orders.ADAM}
    assert adam == pytest.approx({"new": 0.91, "lagged": 2.04, "noisy": 0.88}, abs=6e-3)
    assert {claim.verdict for claim in orders.claims([])} == {"PASS"}


def test_panels_of_the_orders() -> None:
    first, second, adam = orders.draw([], []).axes
    assert [len(panel.get_lines()) for panel in (first, second, adam)] == [7, 7, 5]
    for panel, order in ((first, 1), (second, 2)):
        x, y = panel.get_lines()[-1].get_xydata().T
        assert np.diff(np.log(y)) == pytest.approx(order * np.diff(np.log(x)))
