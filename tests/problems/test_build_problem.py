"""Catches a setting that does not reach its problem, and a mistake that is not one line naming its key."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from problem_cases import DIGITS

from aeos.errors import BadInput
from aeos.problems import build as module
from aeos.problems.analytic import Quadratic, Saddle, Teacher
from aeos.problems.build import build_problem, check_batch_size
from aeos.problems.data.load import LABELLED, SEQUENCES
from aeos.problems.models.build import MODELS
from aeos.problems.network import Network
from aeos.schema import problem as schema
from aeos.schema.fields import validate


def settings(problem: Any, **changes: Any) -> Any:
    base = {"problem": problem, "data": DIGITS, "model": schema.MLP(width=4), "device": "cpu", "dtype": "float32"}
    return SimpleNamespace(**(base | changes))


def test_every_choice_of_the_schema_has_an_implementation() -> None:
    assert {kind.name for kind in schema.DATA} == {*LABELLED, *SEQUENCES}
    assert {kind.name for kind in schema.MODELS} == set(MODELS)


def test_settings_reach_the_problem_through_omegaconf() -> None:
    node = OmegaConf.merge(OmegaConf.structured(schema.Saddle), {"spectrum": [-2.0, 1.0], "start": [0.5], "cubic": 0.2})
    validate(node)
    saddle = build_problem(settings(node, dtype="float64"))
    assert isinstance(saddle, Saddle)
    assert (saddle.spectrum.tolist(), saddle.cubic, saddle.init(0).tolist()) == ([-2, 1], 0.2, [0.5, 0.5])
    model = OmegaConf.structured(schema.CNN(channels=[2, 3]))
    network = build_problem(
        settings(OmegaConf.structured(schema.Network), model=model, data=OmegaConf.structured(DIGITS))
    )
    assert isinstance(network, Network)
    assert network.dim == 20 + 57 + 3 * 4 * 10 + 10
    assert isinstance(build_problem(settings(schema.Quadratic(start=None))), Quadratic)
    assert isinstance(build_problem(settings(schema.Teacher(), dtype="float64")), Teacher)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_everything_is_in_the_precision_asked_for(dtype: torch.dtype) -> None:
    for kind in (schema.Network(), schema.Quadratic(), schema.Saddle()):
        problem = build_problem(settings(kind, dtype=str(dtype).removeprefix("torch.")))
        theta = problem.init(0)
        value, gradient = problem.value_and_gradient(theta)
        assert {problem.dtype, theta.dtype, value.dtype, gradient.dtype} == {dtype}
        assert theta.shape == gradient.shape == (problem.dim,)
        assert value.shape == ()


def test_networks_get_a_chunk_unless_it_would_change_the_loss() -> None:
    network = build_problem(settings(schema.Network()))
    assert isinstance(network, Network)
    assert network.chunk == network.evaluated == network.fitting_chunk(module.KEPT["cpu"])
    normed = build_problem(settings(schema.Network(), model=schema.ResNet(width=2, norm="batch")))
    assert isinstance(normed, Network)
    assert normed.chunk is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"problem": schema.Teacher()}, r"dtype=float32: problem=teacher .*dtype=float64"),
        ({"device": "gpu"}, r"device=gpu: must be cpu, cuda or cuda:<number>"),
        ({"device": "meta"}, r"device=meta: must be cpu"),
        ({"device": "cuda:99"}, r"device=cuda:99: this machine has \d+ CUDA devices; set device=cpu"),
        ({"problem": schema.Quadratic(start=[1.0, 2.0, 3.0])}, r"problem.start has 3 numbers"),
        ({"data": schema.Text()}, r"model=mlp .*data=text"),
    ],
    ids=str,
)
def test_mistakes_name_their_key(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says) as complaint:
        build_problem(settings(**({"problem": schema.Network()} | changes)))
    assert "\n" not in str(complaint.value)


def test_cuda_without_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(BadInput, match="device=cuda: this machine has 0 CUDA devices"):
        build_problem(settings(schema.Quadratic(), device="cuda"))


def test_batch_sizes_must_be_drawable() -> None:
    network = build_problem(settings(schema.Network()))
    normed = build_problem(settings(schema.Network(), model=schema.ResNet(width=2, norm="batch")))
    for fine in (None, 1, 12):
        check_batch_size(network, fine)
    check_batch_size(normed, 2)
    for problem, size, says in (
        (network, 13, "batch_size=13: there are only 12 training samples"),
        (build_problem(settings(schema.Quadratic())), 1, "batch_size=1: this problem has no samples"),
        (normed, 1, "batch_size=1: batch normalization needs at least 2"),
    ):
        with pytest.raises(BadInput, match=says):
            check_batch_size(problem, size)
