"""Would catch: a verdict that says PASS where nothing was compared, or a bound that points the wrong way."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeos.figures.claims import Claim, Kind, read, rows, write

KINDS: tuple[Kind, ...] = ("relative", "absolute", "at_most", "at_least")


@pytest.mark.parametrize(
    ("kind", "predicted", "measured", "tolerance", "verdict"),
    [
        ("relative", 4.0, 5.0, 0.25, "PASS"),
        ("relative", 4.0, 5.0625, 0.25, "FAIL"),
        ("relative", -4.0, -5.0, 0.25, "PASS"),
        ("relative", 0.0, 1e-12, 0.5, "FAIL"),
        ("absolute", 4.0, 3.75, 0.25, "PASS"),
        ("absolute", 4.0, 3.5, 0.25, "FAIL"),
        ("at_most", 2.0, -9.0, 0.0, "PASS"),
        ("at_most", 2.0, 2.25, 0.25, "PASS"),
        ("at_most", 2.0, 2.5, 0.25, "FAIL"),
        ("at_least", 2.0, 9.0, 0.0, "PASS"),
        ("at_least", 2.0, 1.75, 0.25, "PASS"),
        ("at_least", 2.0, 1.5, 0.25, "FAIL"),
    ],
)
def test_verdict(kind: Kind, predicted: float, measured: float, tolerance: float, verdict: str) -> None:
    assert Claim("", predicted, measured, tolerance, kind).verdict == verdict


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_fails(kind: Kind, bad: float) -> None:
    assert Claim("", 1.0, bad, 0.5, kind).verdict == "FAIL"
    assert Claim("", bad, bad, 0.5, kind).verdict == "FAIL"


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e6), st.sampled_from(KINDS))
def test_a_wider_tolerance_never_turns_a_pass_into_a_fail(p: float, m: float, tolerance: float, kind: Kind) -> None:
    if Claim("", p, m, tolerance, kind).verdict == "PASS":
        assert Claim("", p, m, 2 * tolerance + 1, kind).verdict == "PASS"
    assert Claim("", p, p, 0.0, kind).verdict == "PASS"


@pytest.mark.parametrize(
    "wrong", [{"kind": "about"}, {"origin": "guess"}, {"tolerance": -0.1}, {"tolerance": math.nan}]
)
def test_a_claim_of_no_kind_is_refused(wrong: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"text": "", "predicted": 1.0, "measured": 1.0, "tolerance": 0.1}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Claim(**fields | wrong)


CLAIMS = [
    Claim("the slope, with a comma", 0.5, 0.52, 0.1),
    Claim("the bound", 2.0, 3.0, 0.0, "at_most", "derived"),
    Claim("the floor", 0.125, math.nan, 0.001, "at_least", "measured", set_after=True),
]


def test_rows_align_and_say_all() -> None:
    assert rows(CLAIMS) == [
        "PASS  measured 0.52  predicted 0.5 ± 10% (published)                            the slope, with a comma",
        "FAIL  measured 3     predicted ≤ 2 (derived)                                    the bound",
        "FAIL  measured nan   predicted ≥ 0.125 − 0.001 (measured, tolerance set after)  the floor",
    ]
    assert rows([]) == []


def test_the_table_is_tidy_and_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "f.claims.csv"
    write(CLAIMS, file)
    with file.open(newline="", encoding="utf-8") as lines:
        table = list(csv.DictReader(lines))
    assert [row["verdict"] for row in table] == ["PASS", "FAIL", "FAIL"]
    assert list(table[0]) == ["text", "predicted", "measured", "tolerance", "kind", "origin", "set_after", "verdict"]
    assert repr(read(file)) == repr(CLAIMS)
