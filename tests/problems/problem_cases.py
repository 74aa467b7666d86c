"""Every model on every kind of data it takes, once, tiny and in float64; the tests walk this table."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from aeos.problems.build import build_problem
from aeos.problems.network import Network
from aeos.schema import problem as schema


@dataclass(frozen=True)
class Case:
    data: Any
    model: Any
    criterion: str = "ce"
    smooth: bool = True  # derivatives above the first exist everywhere

    def __str__(self) -> str:
        model = {
            k: v for k, v in vars(self.model).items() if k in ("activation", "norm", "qk_norm", "pool", "arch") and v
        }
        return "-".join(map(str, (self.data.name, self.model.name, *model.values(), self.criterion)))


DIGITS = schema.Digits(n=12, test=8)
TABLE = schema.BreastCancer(n=12, test=8)
TEXT = schema.Text(n=4, test=3, context=5, characters=2000)
SORTING = schema.Sorting(n=6, test=4, alphabet=3, length=3)
SMALL = {"width": 8, "depth": 1, "heads": 2}

CASES = [
    Case(DIGITS, schema.MLP(width=6)),
    Case(DIGITS, schema.MLP(width=6, depth=0), "mse"),
    Case(TABLE, schema.MLP(width=6, activation="gelu"), "mse"),
    Case(TABLE, schema.MLP(width=6, activation="relu"), smooth=False),
    Case(DIGITS, schema.CNN(channels=[3, 4], activation="tanh", pool="avg")),
    Case(DIGITS, schema.CNN(channels=[3, 4]), smooth=False),
    Case(DIGITS, schema.ResNet(width=2, norm="none", activation="softplus")),
    Case(DIGITS, schema.ResNet(width=2, norm="group", activation="silu")),
    Case(DIGITS, schema.ResNet(width=2, norm="batch", activation="tanh"), "mse"),
    Case(DIGITS, schema.ViT(**SMALL)),
    Case(DIGITS, schema.ViT(**SMALL, qk_norm=True), "mse"),
    Case(TEXT, schema.Transformer(**SMALL, activation="silu")),
    Case(TEXT, schema.Transformer(**SMALL, qk_norm=True)),
    Case(SORTING, schema.Transformer(**SMALL), "mse"),
    Case(TEXT, schema.LSTM(width=5, depth=2)),
    Case(SORTING, schema.LSTM(width=5), "mse"),
    Case(SORTING, schema.Mamba(width=4, depth=1, state=3)),
    Case(TEXT, schema.Mamba(width=4, state=2, kernel=2), "mse"),
]
SMOOTH = [case for case in CASES if case.smooth]


def problem(case: Case, dtype: str = "float64") -> Network:
    node = SimpleNamespace(
        problem=schema.Network(criterion=case.criterion), data=case.data, model=case.model, device="cpu", dtype=dtype
    )
    built = build_problem(node)
    assert isinstance(built, Network)
    return built


def directions(problem: Network, count: int) -> list[Tensor]:
    """Unit vectors (d,)."""
    drawn = torch.randn(count, problem.dim, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return list(drawn / drawn.norm(dim=1, keepdim=True))


def relative(found: Tensor, true: Tensor) -> float:
    return ((found - true).norm() / true.norm()).item()
