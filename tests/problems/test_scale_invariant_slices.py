"""Catches a slice of θ said to be scale invariant that is not, or one that is cut at the wrong row."""

from __future__ import annotations

import pytest
from problem_cases import CASES, DIGITS, SMALL, TEXT, Case, problem, relative

from aeos.schema import problem as schema

QK = [
    Case(TEXT, schema.Transformer(width=8, depth=2, heads=2, qk_norm=True)),
    Case(DIGITS, schema.ViT(**SMALL, qk_norm=True)),
]


@pytest.mark.parametrize("case", QK, ids=str)
def test_each_slice_scales_alone_and_is_at_right_angles_to_its_gradient(case: Case) -> None:
    network = problem(case)
    theta = network.init(0)
    loss, gradient = network.value_and_gradient(theta)
    slices = network.scale_invariant()
    assert len(slices) == 2 * case.model.depth * case.model.heads
    for part in slices.values():
        assert part.stop - part.start == case.model.width**2 // case.model.heads
        scaled = theta.clone()
        scaled[part] *= 3
        value, slope = network.value_and_gradient(scaled)
        assert relative(value, loss) < 1e-14
        assert relative(slope[part], gradient[part] / 3) < 1e-12
        assert abs(float(theta[part] @ gradient[part])) < 1e-13 * float(theta[part].norm() * gradient[part].norm())


def test_no_larger_or_other_piece_of_a_block_is_said_to_be() -> None:
    """Half of one slice and half of the next are not invariant together: the cut is where the head ends."""
    network = problem(QK[0])
    theta, (first, second, *_) = network.init(0), network.scale_invariant().values()
    assert first.stop == second.start
    middle = slice((first.start + first.stop) // 2, (second.start + second.stop) // 2)
    gradient = network.value_and_gradient(theta)[1][middle]
    assert abs(float(theta[middle] @ gradient)) > 1e-3 * float(theta[middle].norm() * gradient.norm())


def test_names() -> None:
    found = problem(QK[0]).scale_invariant()
    expected = [
        f"blocks.{block}.attention.{part}.weight[{head}]"
        for block in (0, 1)
        for part in ("query", "key")
        for head in (0, 1)
    ]
    assert list(found) == expected


@pytest.mark.parametrize("case", [case for case in CASES if not getattr(case.model, "qk_norm", False)], ids=str)
def test_nothing_else_is(case: Case) -> None:
    assert problem(case).scale_invariant() == {}
