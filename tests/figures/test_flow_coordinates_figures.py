"""Would catch: a parameter beside another's prediction, the first step in an average, and claims that the stable flow,
or a flow without implicit regularization, would fulfil as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_runs import Make
from flow_runs import AVERAGES, DISTANCE, RATIO, Path, beside_run, swing

from aeos.errors import BadInput
from aeos.figures.flows import ablation
from aeos.figures.flows import second_moments as second
from aeos.figures.flows.readings import look
from aeos.figures.labels import labels
from aeos.results.read import Run
from aeos.results.schema import COORDINATES

T = np.arange(101)
SIZES = {3: 1.0, 5: 8.0, 7: 4.0, 11: 2.0}  # index → ν, as large as g² on average


def coordinate_run(
    make: Make,
    name: str = "a",
    central: float = 1.0,
    stable: float = 0.0,
    predicted: Any = 1.0,
    optimizer: str = "rmsprop",
) -> Run:
    """ν of the flows in units of RMSprop's, from the first step on, and so g² predicted: one number, or one a size."""
    run = beside_run(make, name, optimizer=optimizer, smoothing=50.0)
    at = {"rmsprop": 1.0, "central_flow": central, "stable_flow": stable}
    factor = dict(zip(SIZES, np.broadcast_to(predicted, len(SIZES)), strict=True))
    parts = [
        pd.DataFrame(
            {
                "step": 300 + T,
                "process": process,
                "index": index,
                "second_moment": size * np.where(T > 0, share, 1.0),
                "squared_gradient": size * np.where(T > 0, swing(T), 70.0) if process == "rmsprop" else 0.0,
                "predicted_squared_gradient": size * np.where(T > 0, factor[index], 99.0)
                if process == "central_flow"
                else np.nan,
            }
        )
        for process, share in at.items()
        for index, size in SIZES.items()
    ]
    columns = [column.name for column in COORDINATES]
    pd.concat(parts).reindex(columns=columns).to_csv(run.path / "coordinates.csv", index=False)
    return run


def test_the_parameters_shown_are_those_with_the_largest_second_moment(make_run: Make) -> None:
    kept = second.Parameters.of(coordinate_run(make_run, central=0.75))
    assert kept.largest == [5, 7, 11]
    np.testing.assert_allclose(kept.means["predicted"], list(SIZES.values()))
    np.testing.assert_allclose(kept.means["measured"], list(SIZES.values()))
    np.testing.assert_allclose(kept.misses("central_flow"), np.where(T > 0, 0.25, 0))


def test_each_parameter_has_its_own_prediction(make_run: Make) -> None:
    run = coordinate_run(make_run, central=0.9, stable=0.3, predicted=1.5)
    figure = second.draw([run], labels([run]))
    for place, (index, size) in enumerate(((5, 8.0), (7, 4.0), (11, 2.0))):
        upper, lower = figure.axes[place], figure.axes[3 + place]
        assert upper.get_title() == f"parameter {index}"
        raw, _, predicted = (line.get_ydata() * second.UNIT for line in upper.lines)
        np.testing.assert_allclose(raw[1:], size * swing(T)[1:])
        np.testing.assert_allclose(predicted, 1.5 * size)
        for line, share, process in zip(
            lower.lines, (1, 0.9, 0.3), ("rmsprop", "central_flow", "stable_flow"), strict=True
        ):
            np.testing.assert_allclose(line.get_ydata()[1:] * second.UNIT, share * size)
            assert line.get_color() == look(process)["color"]
    errors = figure.axes[8]
    np.testing.assert_allclose([line.get_ydata()[-1] for line in errors.lines], [70, 10])
    assert [line.get_color() for line in errors.lines] == [
        look(f"{name}_flow")["color"] for name in ("stable", "central")
    ]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, []),
        ({"central": 0.87}, [0, 2]),
        ({"central": 1.115, "stable": 0.5}, [1, 2]),
        ({"predicted": 1.11}, [3]),
        ({"predicted": [1, 1, 1, 1.25]}, [5]),
        ({"predicted": [1, 0.7, 1, 1]}, [4]),
    ],
)
def test_claims_on_second_moments_part_right_from_wrong(make_run: Make, change: Any, wrong: list[int]) -> None:
    claims = second.claims([coordinate_run(make_run, **change)])
    assert [place for place, claim in enumerate(claims) if claim.verdict == "FAIL"] == wrong


def test_other_optimizers_have_no_second_moment_of_each_parameter(make_run: Make) -> None:
    with pytest.raises(BadInput, match="a: this figure needs flow-compare, optimizer=rmsprop, with stable and central"):
        second.claims([coordinate_run(make_run, optimizer="scalar_rmsprop")])


SHARP: dict[str, Path] = {
    "midpoint": lambda t: 7 + 0 * t,
    "central_flow": lambda t: 7 + 0 * t,
    "ablated_flow": lambda t: 7 + 0.01 * t,
    "stable_flow": lambda t: 7 + 0.02 * t,
}


def ablated_run(
    make: Make, name: str = "a", ratio: Any = None, away: Any = None, squares: Any = None, **sharp: Path
) -> Run:
    """A run with an ablated flow: λ₁/threshold, distance from the midpoints, predicted g², sharpness."""
    ratio = RATIO | {"ablated_flow": RATIO["central_flow"]} | (ratio or {})
    bare = {"central_flow": lambda t: 1e-3 * t, "ablated_flow": lambda t: 4e-3 * t} | (away or {})
    squares = {"central_flow": 0.3, "ablated_flow": 0.4} | (squares or {})
    averages = AVERAGES | {"squared_gradient": (lambda t: squares["central_flow"] + 0 * t, lambda t: 0.3 * swing(t))}
    run = beside_run(make, name, "rmsprop", ratio=ratio, averages=averages, distance=DISTANCE)
    rows = [
        run.table("distances"),
        *(
            pd.DataFrame({"step": 300 + T, "process": p, "reference": "midpoint", "distance": f(T)})
            for p, f in bare.items()
        ),
    ]
    pd.concat(rows).to_csv(run.path / "distances.csv", index=False)
    rows = [
        run.table("eigenvalues"),
        *(
            pd.DataFrame({"step": 300 + T, "process": p, "operator": "hessian", "index": 1, "value": f(T)})
            for p, f in (SHARP | sharp).items()
        ),
    ]
    pd.concat(rows).to_csv(run.path / "eigenvalues.csv", index=False)
    metrics = run.table("metrics")
    central = metrics[metrics["process"] == "central_flow"]
    pd.concat([metrics, central.assign(process="ablated_flow")]).to_csv(run.path / "metrics.csv", index=False)
    for table, column in (("predictions", "predicted"), ("smoothed", None)):
        whole = run.table(table)
        own = whole.query("process == 'central_flow' and quantity == 'squared_gradient'").assign(process="ablated_flow")
        own = own.assign(predicted=squares["ablated_flow"]) if column else own
        pd.concat([whole, own]).to_csv(run.path / f"{table}.csv", index=False)
    return run


def test_both_flows_are_shown_in_every_panel(make_run: Make) -> None:
    run = ablated_run(make_run)
    locked, raw, apart, squares = ablation.draw([run], labels([run])).axes
    for panel, central, ablated in (
        (locked, 1.0, 1.0),
        (raw, 7.0, 8.0),
        (apart, 0.1, 0.4),
        (squares, 0.3, 0.4),
    ):
        for process, value in (("central_flow", central), ("ablated_flow", ablated)):
            (line,) = [line for line in panel.lines if line.get_color() == look(process)["color"]]
            assert line.get_ydata()[-1] == pytest.approx(value)
    assert len(raw.lines) == 4
    assert apart.get_ylim()[0] == 0


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, []),
        ({"ratio": {"central_flow": lambda t: 1.002 + 0 * t}}, [0]),
        ({"ratio": {"ablated_flow": lambda t: np.where(t == 50, 0.998, 1.0)}}, [1]),
        ({"midpoint": lambda t: 7.2 + 0 * t}, [2]),
        ({"ablated_flow": SHARP["midpoint"]}, [3]),
        ({"away": {"ablated_flow": lambda t: 2.9e-3 * t}}, [4]),
        ({"squares": {"central_flow": 0.34}}, [5]),
        ({"squares": {"ablated_flow": 0.32}}, [6]),
    ],
)
def test_claims_on_the_ablation_part_right_from_wrong(make_run: Make, change: Any, wrong: list[int]) -> None:
    claims = ablation.claims([ablated_run(make_run, **change)])
    assert [place for place, claim in enumerate(claims) if claim.verdict == "FAIL"] == wrong


def test_a_run_without_the_ablated_flow_is_explained(make_run: Make) -> None:
    run = beside_run(make_run, optimizer="rmsprop")
    with pytest.raises(BadInput, match="a: no rows of eigenvalue 1 of central_flow"):
        ablation.claims([run])
