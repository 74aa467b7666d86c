"""Would catch: paths that are no displacements, a model drawn as another, claims that pass for one that is far off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_runs import Make, decay

from aeos.errors import BadInput
from aeos.figures.labels import labels
from aeos.figures.stability.trajectories import claims, displacements, draw
from aeos.results.read import Run, load
from aeos.schema.flow import FLOWS

STEP = np.arange(21)
LR = 0.01
#: What each model differs by from the optimizer, in units of the learning rate, at the last step.
OFF = {"adam_order1": 0.1, "adam_order2": 0.2, "adam_corrected": 0.01}
RELATIVE = {"adam_order1": 0.02, "adam_order2": 0.01, "adam_corrected": 0.001}


def path(index: int) -> np.ndarray:
    return index + LR * 10 * np.sin((index + 1) * STEP / 200)


def flow_run(
    make: Make,
    name: str = "a",
    count: int = 16,
    off: Any = None,
    relative: Any = None,
    flows: Any = FLOWS["adam"],
    seed: int = 0,
) -> Run:
    off, relative = OFF | (off or {}), RELATIVE | (relative or {})
    run = make(name, decay(), job="flow_compare", optimizer={"name": "adam", "lr": LR}, seed=seed)
    paths = [
        pd.DataFrame({"step": STEP, "process": process, "index": i, "value": path(i) + LR * by * (STEP / 20) ** 2})
        for process, by in [("adam", 0.0), *((flow, off[flow]) for flow in flows)]
        for i in range(count)
    ]
    pd.concat(paths).sort_values("step", kind="stable").to_csv(run.path / "coordinates.csv", index=False)
    ends = [pd.DataFrame({"step": STEP[1:], "process": flow, "relative": relative[flow]}) for flow in flows]
    pd.concat(ends).to_csv(run.path / "distances.csv", index=False)
    return load(run.path)


def test_paths_are_displacements_in_units_of_the_learning_rate(make_run: Make) -> None:
    found = displacements(flow_run(make_run))
    assert list(found) == ["adam", *FLOWS["adam"]]
    for i in range(16):
        np.testing.assert_allclose(found["adam"][i], 10 * np.sin((i + 1) * STEP / 200), atol=1e-9)
        np.testing.assert_allclose(found["adam_order2"][i] - found["adam"][i], 0.2 * (STEP / 20) ** 2, atol=1e-9)


def test_sixteen_at_most_are_shown_and_they_are_spread(make_run: Make) -> None:
    assert list(displacements(flow_run(make_run, count=46))["adam"]) == list(range(0, 46, 3))
    assert list(displacements(flow_run(make_run, "b", count=5))["adam"]) == list(range(5))


def test_the_second_order_model_is_dashed_over_adam_and_what_parts_them_stands_below(make_run: Make) -> None:
    run = flow_run(make_run)
    figure = draw([run], labels([run]))
    paths, second, corrected, distance = figure.axes
    assert len(paths.lines) == 32
    dashed = [line for line in paths.lines if line.get_color() == "black"]
    np.testing.assert_allclose(dashed[3].get_ydata(), displacements(run)["adam_order2"][3])
    for panel, by in ((second, 0.2), (corrected, 0.01)):
        assert len(panel.lines) == 16
        for line in panel.lines:
            np.testing.assert_allclose(line.get_ydata(), by * (STEP / 20) ** 2, atol=1e-9)
    assert second.get_ylim() == corrected.get_ylim()
    assert [line.get_ydata()[-1] for line in distance.lines] == [RELATIVE[flow] for flow in FLOWS["adam"]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "Adam", "first order", "second order", "corrected",
    ]  # fmt: skip


def test_several_runs_share_the_panel_of_distances(make_run: Make) -> None:
    runs = [flow_run(make_run, "a"), flow_run(make_run, "b", relative={"adam_order2": 0.5}, seed=1)]
    figure = draw(runs, labels(runs))
    assert len(figure.axes[-1].lines) == 6
    assert len(claims(runs)) == 10


def test_one_model_alone_is_the_dashed_one(make_run: Make) -> None:
    run = flow_run(make_run, flows=("adam_order1",))
    assert len(draw([run], labels([run])).axes) == 3
    assert len(claims([run])) == 1


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({}, []),
        ({"relative": {"adam_order1": 0.031}}, [0]),
        ({"relative": {"adam_order2": 0.04}}, [1]),
        ({"relative": {"adam_corrected": 0.004}}, [2]),
        ({"relative": {"adam_corrected": np.nan}}, [2]),
        ({"off": {"adam_order2": 60.0}}, [3, 4]),
    ],
)
def test_claims_fail_for_a_model_that_is_far_off(make_run: Make, change: Any, failed: list[int]) -> None:
    found = claims([flow_run(make_run, **change)])
    assert [place for place, claim in enumerate(found) if claim.verdict == "FAIL"] == failed
    assert all(claim.set_after for claim in found)


def test_a_run_without_rows_is_explained(make_run: Make) -> None:
    run = flow_run(make_run)
    (run.path / "coordinates.csv").write_text("step,process,index,value\n")
    with pytest.raises(BadInput, match="a: no rows of a model yet; wait"):
        draw([run], labels([run]))
