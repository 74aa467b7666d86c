"""Catches a precision that reaches what it must not, or outlives its run."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import torch

from aeos.errors import BadInput
from aeos.jobs.numerics import WORKSPACE, faster, numerics
from aeos.jobs.optimizer import build_optimizer
from aeos.problems.build import build_problem
from aeos.results.identity import digest
from tests.conftest import Said, composed

FLAGS: dict[str, Callable[[], object]] = {
    "matmul": lambda: torch.backends.cuda.matmul.allow_tf32,
    "convolutions": lambda: torch.backends.cudnn.allow_tf32,
    "cudnn": lambda: torch.backends.cudnn.deterministic,
    "benchmark": lambda: torch.backends.cudnn.benchmark,
    "deterministic": torch.are_deterministic_algorithms_enabled,
    "warn_only": torch.is_deterministic_algorithms_warn_only_enabled,
    "workspace": lambda: os.environ.get(WORKSPACE),
    "autocast": lambda: torch.is_autocast_enabled("cpu"),
}


def flags() -> dict[str, object]:
    return {name: get() for name, get in FLAGS.items()}


def test_float32_is_float32_and_what_was_set_comes_back() -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.benchmark = True
    try:
        before = flags()
        for word in ("deterministic=false", "deterministic=true"):
            with suppress(KeyError), numerics(composed(word)):
                now, exact = flags(), word.endswith("true")
                raise KeyError
            assert (now["matmul"], now["convolutions"], now["benchmark"]) == (False, False, False)
            assert (now["cudnn"], now["deterministic"], now["workspace"] == ":4096:8") == (exact, exact, exact)
            assert flags() == before
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.benchmark = False


def test_an_operation_without_deterministic_form_is_one_line() -> None:
    with pytest.raises(BadInput) as told, numerics(composed("deterministic=true")):
        torch.empty(3).put_(torch.tensor([0, 0]), torch.ones(2), accumulate=False)
    assert str(told.value) == "deterministic=true: torch has no such form of put_; set it to false"


def test_tf32_is_for_training_gradients_alone() -> None:
    config = composed("tf32=true", "device=cuda", "problem=edge")
    fast = faster(config, torch.device("cpu"))
    assert fast is not None
    with numerics(config):
        before = flags()
        with fast():
            assert flags() == before | {"matmul": True, "convolutions": True}
        assert flags() == before


@pytest.mark.parametrize("words", [["model=cnn"], ["model=vit", "model.width=16"], ["batch_size=32"]])
def test_bfloat16_reaches_gradients_and_nothing_else(words: list[str]) -> None:
    words = ["problem=edge", "data.n=64", *words]
    plain, mixed = composed(*words), composed(*words, "bf16=true")
    theta = build_problem(plain).init(0)
    exact, rough = (build_optimizer(config, build_problem(config), graph=1) for config in (plain, mixed))
    one, other = exact.init(theta), rough.init(theta)
    (loss, gradient), (rounded, slope) = exact.look(one), rough.look(other)
    assert (rounded.dtype, slope.dtype) == (torch.float32, torch.float32)
    error = float((slope - gradient).norm() / gradient.norm())
    assert 1e-4 < error < 0.1
    assert float(rounded) == pytest.approx(float(loss), rel=0.02)
    assert torch.equal(rough.hessian(other).gradient, exact.hessian(one).gradient)
    assert torch.equal(rough.hessian(other)(theta), exact.hessian(one)(theta))
    assert rough.problem.metrics(theta) == exact.problem.metrics(theta)


def test_a_bfloat16_run_measures_what_a_float32_run_would(aeos: Callable[..., Said], tmp_path: Path) -> None:
    words = ["sharpness", "data.n=100", "steps=4", "every=2", "optimizer=adam"]
    for name, more in (("exact", []), ("rough", ["bf16=true"])):
        assert aeos(*words, *more, f"name={name}").code == 0
    for table, differing in (("sharpness", {"preconditioned_sharpness"}), ("metrics", {"grad_norm"})):
        first = [
            pd.read_csv(next(tmp_path.glob(f"outputs/sharpness/{name}-*/{table}.csv"))).iloc[0]
            for name in ("exact", "rough")
        ]
        same = [name for name in first[0].index if first[0][name] == first[1][name] or first[0].isna()[name]]
        assert differing & {*same} == set()
        assert {"train_loss"} | ({"sharpness"} if table == "sharpness" else set()) <= {*same}


def test_at_their_defaults_runs_keep_their_names() -> None:
    """Those that were done before there were these settings are found again; others of them are other runs."""
    assert digest(composed("optimizer=gd")) == digest(composed("optimizer=gd", "memory_gb=2"))
    names = {digest(composed(word)) for word in ("seed=0", "deterministic=true", "bf16=true", "tf32=true")}
    assert len(names) == 4
