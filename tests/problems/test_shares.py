"""Catches ranks whose shares of the samples do not add up to the whole, in any derivative or minibatch."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from problem_cases import DIGITS, SMOOTH, TEXT, Case, directions, problem, relative
from torch import Tensor

from aeos.curvature import Hessian, third_derivatives
from aeos.dynamics.sharpness import in_pieces
from aeos.errors import BadInput
from aeos.problems.base import Batch
from aeos.problems.build import build_problem, check_batch_size
from aeos.problems.network import Network
from aeos.ranks import ALONE, Ranks, check, joined, started
from aeos.schema import problem as schema

SHARED = [case for case in SMOOTH if getattr(case.model, "norm", "") != "batch"]
each_case = pytest.mark.parametrize("case", SHARED, ids=str)


class Heard(Ranks):
    """A rank that nobody answers: its total is its own part."""

    def total(self, *parts: Tensor) -> tuple[Tensor, ...]:
        return parts


def derivatives(it: Network, theta: Tensor, batch: Batch | None = None) -> list[Tensor]:
    """Loss, gradient, loss in pieces, a product and a third derivative."""
    u, v = directions(it, 2)
    hessian = Hessian(it.pieces(theta, batch), together=it.ranks.total)
    value, gradient = it.value_and_gradient(theta, batch)
    looked = [hessian.value, hessian.gradient, in_pieces(it, theta), value, gradient]
    return [part.detach() for part in (*looked, hessian(v), third_derivatives(hessian, torch.stack([u, v])))]


@each_case
def test_shares_add_up_to_the_whole(case: Case) -> None:
    it = problem(case)
    theta, minibatch = it.init(2), it.batch(torch.tensor([3, 0, 2]))
    for batch, chunk in ((None, 3), (minibatch, None)):
        it.chunk, it.ranks = chunk, ALONE
        wanted = derivatives(it, theta, batch)
        found = []
        for index in range(3):
            it.ranks = Heard(index, 3)
            found.append(derivatives(it, theta, batch))
        for whole, *parts in zip(wanted, *found, strict=True):
            assert (sum(parts) - whole).norm() <= 1e-12 * max(1.0, float(whole.norm()))


def test_shares_weigh_by_counted_positions() -> None:
    it = problem(Case(TEXT, schema.Transformer(width=8, depth=1, heads=2)))
    it.train.y[0, 1:] = -100
    theta = it.init(0)
    value, gradient = it.value_and_gradient(theta)
    parts = []
    for index in range(2):
        it.ranks = Heard(index, 2)
        parts.append(it.value_and_gradient(theta))
    assert sum(part[0].item() for part in parts) == pytest.approx(value.item(), rel=1e-12)
    assert relative(parts[0][1] + parts[1][1], gradient) < 1e-12


@given(size=st.integers(1, 10_000), count=st.integers(1, 64))
def test_every_sample_is_one_ranks(size: int, count: int) -> None:
    ends = [(part.start, part.stop) for part in (Ranks(index, count).share(size) for index in range(count))]
    assert (ends[0][0], ends[-1][1]) == (0, size)
    assert all(stop == start for (_, stop), (start, _) in pairwise(ends))
    lengths = [stop - start for start, stop in ends]
    assert max(lengths) - min(lengths) <= 1


def test_metrics_are_of_all_samples_on_every_rank() -> None:
    it = problem(Case(DIGITS, schema.MLP(width=6)))
    wanted = it.metrics(it.init(0))
    it.ranks = Heard(1, 2)
    assert it.metrics(it.init(0)) == wanted


def settings(**changes: object) -> SimpleNamespace:
    base = {"problem": schema.Network(), "data": DIGITS, "model": schema.MLP(width=4), "dtype": "float32"}
    return SimpleNamespace(**(base | {"device": "cpu"} | changes))


class Waiting(Ranks):
    """The first of ranks that are not there: it waits for none of them."""

    def sent(self, content: bytes = b"") -> bytes:
        return content


def test_what_has_no_shares_is_refused() -> None:
    ranks = Waiting(0, 3)
    network = build_problem(settings(), ranks)
    check_batch_size(network, 3)
    with pytest.raises(BadInput, match="batch_size=2: fewer samples than the 3 ranks; raise it"):
        check_batch_size(network, 2)
    for changes, says in (
        ({"problem": schema.Quadratic()}, "problem=quadratic: has no samples to share out"),
        ({"data": schema.Digits(n=2, test=8)}, "data.n=2: fewer samples than the 3 ranks"),
        ({"model": schema.ResNet(width=2, norm="batch")}, "model.norm=batch: its statistics are of the whole batch"),
    ):
        with pytest.raises(BadInput, match=says):
            build_problem(settings(**changes), ranks)


def test_a_process_that_torchrun_did_not_start_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedulers set some of the same variables, for every process."""
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert started() == (0, 1)
    check(["sweep-stability", "-m"])
    with joined("cpu") as ranks:
        assert ranks is ALONE
    one = torch.ones(3)
    assert ALONE.total(one)[0] is one
    assert (ALONE.agree({"a": None}), ALONE.sent(b"x"), ALONE.first) == ({"a": None}, b"x", True)


def test_gpus_must_be_one_a_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "0"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for device, says in (("cuda:1", "set device=cuda"), ("cuda", "this machine has 1 CUDA devices; start no more")):
        with pytest.raises(BadInput, match=says), joined(device):
            pass
