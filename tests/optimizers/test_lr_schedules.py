"""Schedules: their values at the ends, and that a job's settings reach them."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from aeos.errors import BadInput
from aeos.optimizers import build_schedule


def made(steps: int = 101, **settings: Any) -> Any:
    return build_schedule(SimpleNamespace(**settings), steps)


def test_constant_is_one() -> None:
    assert {made(name="constant")(k) for k in range(10)} == {1.0}


def test_power_by_hand() -> None:
    schedule = made(name="power", p=0.5)
    assert [schedule(k) for k in (0, 3, 99)] == pytest.approx([1.0, 0.5, 0.1])


def test_warmup_cosine_by_hand() -> None:
    """Warm-up over 4 steps in fifths; then from 1 at k = 4 through the middle at k = 52 to 0.2 at k = 100."""
    schedule = made(name="warmup_cosine", warmup=4, final=0.2)
    assert [schedule(k) for k in (0, 1, 3, 4)] == pytest.approx([0.2, 0.4, 0.8, 1.0])
    assert [schedule(k) for k in (52, 100, 1000)] == pytest.approx([0.6, 0.2, 0.2])
    assert schedule(28) == pytest.approx(0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi / 4)))
    falling = [schedule(k) for k in range(4, 101)]
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (2, 1), (5, 4)])
def test_warmup_up_to_the_last_step(steps: int, warmup: int) -> None:
    assert made(steps, name="warmup_cosine", warmup=warmup)(steps - 1) == 1.0


def test_a_warmup_that_never_ends_is_refused() -> None:
    with pytest.raises(BadInput, match=r"schedule\.warmup=10: must be below steps=10"):
        made(10, name="warmup_cosine", warmup=10)


def test_unknown_schedule_is_refused() -> None:
    with pytest.raises(BadInput, match=r"schedule\.name=cosine: must be one of constant"):
        made(name="cosine")
