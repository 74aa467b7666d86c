"""Would catch: a curve drawn in the wrong place of one panel, and a claim that a wrong curve would pass too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color

from aeos.figures.claims import Claim
from aeos.figures.stability import region
from aeos.theory import stability

Plane = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

#: Of each panel: its coordinates back to β, γ.
PLANES: list[Plane] = [
    lambda x, y: (y, x),
    lambda x, y: (1 - y, 1 - x),
    lambda x, y: (1 - y * x, 1 - x),
]


@pytest.fixture(scope="module")
def panels() -> list[Axes]:
    return region.draw([], []).axes


@pytest.fixture(scope="module")
def claimed() -> list[Claim]:
    return region.claims([])


def curves(panel: Axes, plane: Plane, look: dict) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """β, γ of the lines in this look, inside the open square."""
    for line in panel.lines:
        if same_color(line.get_color(), look["color"]) and len(line.get_xdata()) > 1:
            beta, gamma = plane(np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
            inside = (beta > 1e-3) & (beta < 1) & (gamma > 1e-3) & (gamma < 1)
            yield beta[inside], gamma[inside]


@pytest.mark.parametrize("number", range(3))
def test_both_boundaries_are_where_they_belong_in_every_panel(panels: list[Axes], number: int) -> None:
    ((beta, gamma),) = curves(panels[number], PLANES[number], region.BOUNDARY)
    assert len(beta) > 1000
    assert np.abs(stability.stability_coefficient(beta, gamma)).max() < 1e-9
    ((beta, gamma),) = curves(panels[number], PLANES[number], {"color": "black"})
    assert len(beta) > 1000
    assert np.abs(gamma**2 - beta).max() < 1e-12


@pytest.mark.parametrize(("number", "levels"), [(0, region.LEVELS), (1, region.FINE)])
def test_levels_and_their_values_beside_them(panels: list[Axes], number: int, levels: tuple[float, ...]) -> None:
    drawn = []
    for beta, gamma in curves(panels[number], PLANES[number], region.LEVEL):
        c = np.asarray(stability.stability_coefficient(beta, gamma))
        assert np.ptp(c) < 1e-9
        drawn.append(float(c.mean()))
    assert drawn == pytest.approx(levels)
    assert [float(text.get_text().replace("−", "-")) for text in panels[number].texts] == list(levels)


def test_normal_curves_cross_the_whole_square_and_the_levels_at_right_angles(panels: list[Axes]) -> None:
    curves_ = region.normal_curves()
    assert len(list(curves(panels[0], PLANES[0], region.NORMAL))) == len(curves_) == len(region.CROSSINGS) + 1
    for curve in curves_:
        edges = [min(abs(beta), abs(1 - beta), abs(gamma), abs(1 - gamma)) for beta, gamma in curve[[0, -1]]]
        assert max(edges) < 2e-3  # a normal curve leaves out its first point, 1/2001 of its length
        assert region.askew(curve) < 1e-5
    beta, gamma = curves_[-1].T
    assert np.hypot(beta - region.ADAM[0], gamma - region.ADAM[1]).min() < 1e-3


def test_a_curve_that_is_not_normal_is_askew() -> None:
    assert region.askew(stability.level_curve(100, 0.5, 0.1, 0.7)) == pytest.approx(1, abs=1e-3)
    line = np.linspace([0.5, 0.5], [0.6, 0.4], 50)
    assert region.askew(line) > 0.1


def test_the_claims_hold(claimed: list[Claim]) -> None:
    assert {claim.verdict for claim in claimed} == {"PASS"}
    assert {claim.origin for claim in claimed} == {"derived"}
    width = next(claim for claim in claimed if "width" in claim.text)
    assert width.predicted == pytest.approx(stability.sliver_width(region.GOLDEN**-2))
    assert width.predicted == pytest.approx(0.0902, abs=1e-4)
