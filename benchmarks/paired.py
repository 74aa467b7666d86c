"""Costs in units of another cost, measured side by side."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any


@dataclass
class Side:
    """costs in units and results, one a round; `complaint` is what was raised instead."""

    costs: list[float] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    complaint: str = ""


@dataclass(frozen=True)
class Clock:
    """With one thread, time is the process's own, so that other programs matter little; with more it is the wall's."""

    rounds: int
    threads: int

    def timed(self, work: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
        now = time.process_time if self.threads == 1 else time.perf_counter
        began = now()
        for _ in range(repeats):
            result = work()
        return (now() - began) / repeats, result

    def paired(
        self,
        sides: dict[str, Callable[[int], Any]],
        unit: Callable[[], Any],
        repeats: int = 1,
        again: int = 1,
        warm: bool = False,
    ) -> dict[str, Side]:
        """Each side(round) `again` times between two blocks of `repeats` units, in alternating order; means of both.

        A side that raises is left out from then on; `warm`: a round more comes first and does not count.
        """
        found = {name: Side() for name in sides}
        before, _ = self.timed(unit, repeats)
        for turn in range(-warm, self.rounds):
            for name in list(found)[:: -1 if turn % 2 else 1]:
                side = found[name]
                if side.complaint:
                    continue
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        spent, result = self.timed(partial(sides[name], turn), again)
                except Exception as error:  # whatever a library raises is its result
                    side.complaint = f"fails: {str(error).strip().splitlines()[0]}"
                    continue
                after, _ = self.timed(unit, repeats)
                if turn >= 0:
                    side.costs.append(2 * spent / (before + after))
                    side.results.append(result)
                before = after
        return found


def line(row: dict[str, Any], columns: dict[str, int], form: str = "g", **forms: str) -> str:
    """The row's cells so wide each, numbers to the right where the width is negative; `forms` for some columns."""
    cells = []
    for name, width in columns.items():
        value = row.get(name, "")
        text = format(value, forms.get(name, form)) if isinstance(value, float) else str(value)
        cells.append(text.rjust(-width) if width < 0 else text.ljust(width))
    return " ".join(cells).rstrip()
