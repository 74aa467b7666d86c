"""Would catch: rows of another process, gaps counted in, claims that pass where ν is elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_runs import Make

from aeos.errors import BadInput
from aeos.figures.flows.rest import claims, draw, rows
from aeos.results.read import Run, load
from aeos.results.schema import REST


def rest_run(make: Make, name: str = "a", cosine: Any = 0.99, ratio: Any = 1.02, process: str = "midpoint") -> Run:
    run = make(name, [], job="flow_compare", optimizer={"name": "rmsprop", "lr": 0.01}, steps=200)
    step = np.arange(0, 201, 10)
    own = pd.DataFrame({"step": step, "process": process, "cosine": cosine, "ratio": ratio, "critical": 2})
    other = pd.DataFrame({"step": step, "process": "stable_flow", "cosine": 0.1, "ratio": 5.0, "critical": 0})
    columns = [column.name for column in REST]
    pd.concat([own, other]).reindex(columns=columns).to_csv(run.path / "rest.csv", index=False)
    return load(run.path)


def test_it_shows_the_midpoints_alone(make_run: Make) -> None:
    cosine = np.where(np.arange(21) == 3, np.nan, 0.9)
    run = rest_run(make_run, cosine=cosine)
    assert len(rows(run)) == 20
    figure = draw([run], [""])
    assert [len(panel.lines) for panel in figure.axes] == [2, 2, 1]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [0.9] * 20)
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), [1.02] * 20)


def test_claims_are_of_the_end(make_run: Make) -> None:
    early = np.arange(21) < 11
    near = claims([rest_run(make_run, "a", np.where(early, 0.2, 0.97), np.where(early, 3.0, 1.05))])
    assert [claim.verdict for claim in near] == ["PASS", "PASS"]
    assert [claim.measured for claim in near] == pytest.approx([0.97, 1.05])
    far = claims([rest_run(make_run, "b", 0.94, 1.11)])
    assert [claim.verdict for claim in far] == ["FAIL", "FAIL"]


def test_nothing_to_show_says_what_to_do(make_run: Make) -> None:
    with pytest.raises(BadInput, match=r"set rest\.every"):
        rows(rest_run(make_run, process="central_flow"))
    runs = [rest_run(make_run, "b"), rest_run(make_run, "c")]
    with pytest.raises(BadInput, match="2 runs: this figure shows one"):
        draw(runs, ["a", "b"])
