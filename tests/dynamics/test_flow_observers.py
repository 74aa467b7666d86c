"""Would catch: a distance over the wrong displacement or from the wrong process, and cells that flows leave empty."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from adam_flow_cases import adam, flow, smooth

from aeos.dynamics import Coordinates, Discrete, Distances, Memory, Moment, Simulation, State, Watch, metrics
from aeos.dynamics.compare import some_that_move
from aeos.problems.analytic import Quadratic

START = torch.tensor([1.0, 2.0, 3.0, 4.0])


def moment(**thetas: list[float]) -> Moment:
    process = Discrete(smooth(), adam())
    return Moment(3, 0.0, {name: (process, State(torch.tensor(theta), 3)) for name, theta in thetas.items()})


def test_distances_are_root_mean_squares_from_the_reference() -> None:
    seen = moment(adam=[1.0, 2.0, 3.0, 0.0], near=[1.0, 2.0, 3.0, 1.0], far=[4.0, 5.0, 6.0, 3.0])
    near, far = Distances("adam", START)(seen)
    assert near == {
        "step": 3,
        "process": "near",
        "reference": "adam",
        "distance": 0.5,
        "displacement": 2.0,
        "relative": 0.25,
    }
    assert (far["process"], far["distance"], far["relative"]) == ("far", 3.0, 1.5)


def test_without_a_displacement_there_is_no_ratio_and_without_the_reference_no_row() -> None:
    (row,) = Distances("adam", START)(moment(adam=START.tolist(), near=[1.0, 2.0, 3.0, 6.0]))
    assert (row["distance"], row["relative"]) == (1.0, None)
    assert list(Distances("adam", START)(moment(near=[1.0, 2.0, 3.0, 6.0]))) == []


def test_coordinates_are_those_asked_for() -> None:
    rows = list(Coordinates(torch.tensor([1, 3]))(moment(adam=START.tolist(), near=[5.0, 6.0, 7.0, 8.0])))
    assert [(row["process"], row["index"], row["value"]) for row in rows] == [
        ("adam", 1, 2.0), ("adam", 3, 4.0), ("near", 1, 6.0), ("near", 3, 8.0),
    ]  # fmt: skip
    assert {row["step"] for row in rows} == {3}


def test_the_entries_followed_are_a_draw_among_those_that_move() -> None:
    spectrum = np.arange(100.0) % 2  # every other entry has no gradient
    problem = Quadratic(spectrum.tolist(), dtype=torch.float64)
    state = torch.get_rng_state()
    draws = [some_that_move(problem, problem.init(0), 10, seed) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert all(len(draw.unique()) == 10 and (draw % 2 == 1).all() for draw in draws)
    assert all((draw.diff() > 0).all() for draw in draws)
    assert len(some_that_move(problem, problem.init(0), 1000, 0)) == 50


def test_metrics_of_a_flow_have_their_learning_rate_gradient_and_update() -> None:
    memory, rule = Memory(), adam(0.01)
    discrete = Discrete(smooth(), rule, schedule=lambda step: 1 / (1 + step), name="adam")
    processes = [discrete, flow(smooth(), "order1", rule, name="flow")]
    processes[1].discrete.schedule = discrete.schedule  # type: ignore[union-attr]
    Simulation(processes, smooth().init(0), [Watch("m", 1, metrics)], memory).run(1)
    first, second, _, later = memory.rows["m"]
    assert first["lr"] == second["lr"] == 0.01
    assert later["lr"] == 0.005
    assert second["grad_norm"] == first["grad_norm"]
    assert "max_update" not in second
    assert later["max_update"] == pytest.approx(1.0, rel=1e-14)  # u(0), the sign of the gradient
