"""Would catch: a loss along the flow taken for its average, a direction drawn with another's prediction, claims that
hold where the oscillation is left out of what is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from figure_runs import Make
from flow_runs import AVERAGES, LOSS, Path, beside_run, swing

from aeos.errors import BadInput
from aeos.figures.flows import averages, covariance
from aeos.figures.flows.panels import SMOOTH
from aeos.figures.flows.readings import look
from aeos.figures.labels import labels, network
from aeos.results.read import Run

T = np.arange(101)
Pair = tuple[Path, Path]


def shared(size: float, measured: float | None = None) -> Pair:
    """A prediction of this size after the first step, and bursts around it, or around another."""
    return lambda t: np.where(t > 0, size, 9.0), lambda t: (measured or size) * swing(t)


WHOLE: dict[str, Pair] = AVERAGES | {
    "squared_gradient": shared(0.3),
    "variance": shared(0.3),
    "variance[1]": shared(0.2),
    "variance[2]": shared(0.1),
    "variance[3]": (lambda t: 0 * t, lambda t: 1e-5 * swing(t)),
}


def averaged_run(make: Make, name: str = "a", averages: Mapping[str, Pair] = WHOLE, **settings: Any) -> Run:
    """A run whose gradient norm is 0.1 along all processes."""
    run = beside_run(make, name, averages=averages, **settings)
    run.table("metrics").assign(grad_norm=0.1).to_csv(run.path / "metrics.csv", index=False)
    return run


def failed(claims: list[Any]) -> list[int]:
    return [place for place, claim in enumerate(claims) if claim.verdict == "FAIL"]


def test_models_are_called_as_papers_do(make_run: Make) -> None:
    for name, called in (("lstm", "LSTM"), ("transformer", "transformer")):
        assert network(averaged_run(make_run, name, model={"name": name})) == called
    assert averages.titled(averaged_run(make_run)) == "GD, quadratic"
    assert averages.titled(averaged_run(make_run, "b", optimizer="rmsprop")) == "RMSprop, quadratic"


def test_a_column_a_run_and_a_row_a_quantity(make_run: Make) -> None:
    runs = [averaged_run(make_run), averaged_run(make_run, "b", optimizer="rmsprop")]
    figure = averages.draw(runs, labels(runs))
    assert [panel.get_title() for panel in figure.axes[:2]] == ["GD, quadratic", "RMSprop, quadratic"]
    for panel, quantity, own in zip(
        figure.axes[::2], ("train_loss", "squared_gradient"), (LOSS["central_flow"](T), 0.01 + 0 * T), strict=True
    ):
        raw, smooth, predicted, midpoint, flow = (line.get_ydata() for line in panel.lines)
        np.testing.assert_allclose(raw, WHOLE[quantity][1](T)[1:])
        np.testing.assert_allclose(smooth, WHOLE[quantity][1](T).mean())
        np.testing.assert_allclose(predicted, WHOLE[quantity][0](T)[1:])
        np.testing.assert_allclose(midpoint, own)
        np.testing.assert_allclose(flow, own)
        assert panel.get_yscale() == "log"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, []),
        ({"averages": WHOLE | {"train_loss": (lambda t: LOSS["midpoint"](t), LOSS["optimizer"])}}, [0, 2]),
        ({"averages": WHOLE | {"train_loss": (lambda t: LOSS["midpoint"](t) + 0.6, LOSS["optimizer"])}}, []),
        ({"averages": WHOLE | {"train_loss": (lambda t: LOSS["midpoint"](t) + 0.63, LOSS["optimizer"])}}, [2]),
        ({"averages": WHOLE | {"squared_gradient": shared(0.3, 0.34)}}, [1]),
        ({"averages": WHOLE | {"squared_gradient": shared(0.3, 0.26)}}, [1]),
        ({"loss": LOSS | {"midpoint": lambda t: 1.06 * LOSS["central_flow"](t)}}, [3]),
    ],
)
def test_claims_on_averages_part_right_from_wrong(make_run: Make, change: Any, wrong: list[int]) -> None:
    assert failed(averages.claims([averaged_run(make_run, **change)])) == wrong


def test_directions_are_those_with_a_prediction(make_run: Make) -> None:
    found = covariance.directions(averaged_run(make_run))
    assert list(found) == ["variance[1]", "variance[2]"]
    assert found["variance[2]"].index[0] == 301
    still = {name: (lambda t: 0 * t, swing) for name in WHOLE}
    with pytest.raises(BadInput, match="b: its central flow never oscillates; give a run at the edge"):
        covariance.directions(averaged_run(make_run, "b", averages=still))


def test_each_direction_has_its_own_prediction(make_run: Make) -> None:
    run = averaged_run(make_run)
    upper, lower = covariance.draw([run], labels([run])).axes
    for place, name in enumerate(("variance[1]", "variance[2]")):
        predicted, measured = (path(T)[1:] for path in WHOLE[name])
        smooth, dashed = upper.lines[2 * place : 2 * place + 2]
        np.testing.assert_allclose(smooth.get_ydata(), WHOLE[name][1](T).mean())
        np.testing.assert_allclose(dashed.get_ydata(), predicted)
        staircase, straight = lower.lines[2 * place : 2 * place + 2]
        np.testing.assert_allclose(staircase.get_ydata(), measured.cumsum())
        np.testing.assert_allclose(straight.get_ydata(), predicted.cumsum())
        assert staircase.get_color() == smooth.get_color() != look("gd")["color"]
        assert smooth.get_linewidth() == SMOOTH["linewidth"]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, []),
        ({"variance": shared(0.3, 0.37)}, [0]),
        ({"variance[1]": shared(0.2, 0.245)}, [1]),
        ({"variance[2]": shared(0.1, 0.075)}, [2]),
        ({"variance[1]": shared(0.1), "variance[2]": shared(0.2)}, []),
    ],
)
def test_claims_on_variances_part_right_from_wrong(make_run: Make, change: dict[str, Pair], wrong: list[int]) -> None:
    claims = covariance.claims([averaged_run(make_run, averages=WHOLE | change)])
    assert len(claims) == 3
    assert failed(claims) == wrong
