"""The map of two numbers, oscillation and sharpness, against the run that it is a model of, cycle by cycle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.oscillation import Cycle, cycles, joined, oscillation
from aeos.figures.edge.readings import step_axis
from aeos.figures.labels import labels as names
from aeos.results.read import Run
from aeos.theory.self_stabilization import Path

TABLES = ("self_stabilization",)

RUN: dict[str, Any] = {"color": style.COLOURS[0], "linewidth": 1.4}
MEASURED: dict[str, Any] = {"color": style.COLOURS[1], "linewidth": 0.8}
CONSTANT = style.THEORY | {"linewidth": 0.7}
BALANCE: dict[str, Any] = {"color": "0.4", "linewidth": 0.7, "linestyle": (0, (1, 1))}
PAST: dict[str, Any] = {"color": "0.92", "linewidth": 0}
AFTER = 2  # times the steps up to the limit: so far the map is drawn where it passes its limit


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """A row a run: |x| and S in one plane, each against the step; grey where the model is past its limits."""
    figure = style.new(height=2.0 * len(runs))
    grid = figure.subplots(len(runs), 3, squeeze=False)
    for panels, run in zip(grid, runs, strict=True):
        _row(panels, oscillation(run), joined(cycles(run)))
    style.letters(grid.flat)
    if len(runs) > 1:
        for (panel, *_), name in zip(grid, labels, strict=True):
            panel.set_title(f"{name}\n{panel.get_title(loc='left')}", loc="left", pad=6)
    figure.align_ylabels()
    entries = [
        Line2D([], [], **RUN, label="run"),
        Line2D([], [], **CONSTANT, label=r"map, $\alpha$ and $\beta$ of its start"),
        Line2D([], [], **MEASURED, label=r"map, $\alpha$ and $\beta$ of each step"),
        Line2D([], [], **BALANCE, label=r"$\delta$, the $|x|$ that keeps the sharpness"),
        Patch(**PAST, label="past the model's limits"),
    ]
    style.legend_below(figure, entries)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Within its limits the map has the run's |x| and S; past them it overdoes; with constants it never rests."""
    found = []
    for run, name in zip(runs, names(runs), strict=True):
        text = f"{name}: " if len(runs) > 1 else ""
        known = cycles(run)
        held = [cycle for cycle in known if cycle.holds]
        found += _first(known[0], text)
        if held:
            found += _each(held, f"{text}{len(held)} cycles within the limits: ")
        if len(held) > 1:
            found += _together(held, joined(known)[-1], text)
    return found


def _first(cycle: Cycle, text: str) -> list[Claim]:
    """Of the first cycle, whose oscillation grows from rounding or from drift, and the map with the constants there."""
    actual = cycle.rows["x"].abs().to_numpy()
    before = slice(min(cycle.limit, int(actual.argmax()) + 1))
    size = np.abs(np.abs(cycle.constant.x) / actual - 1)[before].max()
    about = f"{text}first cycle, until |x| is largest or past the limit: "
    found = [
        _at_most(f"{about}relative error of |x|", 0.15, size),
        _at_most(f"{about}error of S/threshold", 0.02, _error(cycle, cycle.constant, before)),
    ]
    if not cycle.holds:
        low, lowest = float(cycle.rows["level"].min()), float(np.nanmin(cycle.level(cycle.constant)))
        says = f"{text}first cycle, past the limit: least S/threshold, over the map's, which falls further"
        found.append(Claim(says, 1.2, low / lowest, 0.0, "at_least", "measured", set_after=True))
    return found


def _each(held: Sequence[Cycle], about: str) -> list[Claim]:
    """Of maps that begin anew with every cycle."""
    off = max(_error(cycle, cycle.measured) for cycle in held)
    peaks = [cycle.peaks for cycle in held if cycle.rows["level"].min() < 1]  # x has been largest: S falls through 2/η
    found = [_at_most(f"{about}error of S/threshold with α, β of each step", 0.025, off)]
    if over := [run / orbit - 1 for run, orbit in peaks]:
        says = f"{about}largest |x| over that of the orbit of its energy, less 1"
        found.append(Claim(says, 0.0, max(over, key=abs), 0.2, "absolute", "derived", set_after=True))
    return found


def _together(held: Sequence[Cycle], last: Cycle, text: str) -> list[Claim]:
    """Of one cycle after the other: α and β must change for them to shrink, and as they change the map shrinks too."""
    energies = np.array([cycle.energy for cycle in held])
    says = f"{text}energy of a cycle over that of the one before, largest; with α, β constant at least 1"
    about = f"{text}error of S/threshold over the last {len(last.rows)} steps, α, β of each"
    return [
        _at_most(says, 1.0, (energies[1:] / energies[:-1]).max()),
        _at_most(about, 0.005, _error(last, last.measured)),
    ]


def _at_most(text: str, bound: float, measured: float) -> Claim:
    return Claim(text, bound, float(measured), 0.0, "at_most", "derived", set_after=True)


def _error(cycle: Cycle, path: Path, where: slice = slice(None)) -> float:
    """Of S/threshold, the largest."""
    return float(np.abs(cycle.level(path) - cycle.rows["level"])[where].max())


def _row(panels: Sequence[Axes], rows: pd.DataFrame, found: Sequence[Cycle]) -> None:
    plane, size, level = panels
    ends = [min(len(cycle.rows), AFTER * cycle.limit) for cycle in found]
    rows = rows[rows["step"].between(found[0].rows["step"].iloc[0], found[-1].rows["step"].iloc[ends[-1] - 1])]
    plane.plot(rows["level"], rows["x"].abs(), **RUN)
    size.plot(rows["step"], rows["x"].abs(), **RUN)
    level.plot(rows["step"], rows["level"], **RUN)
    size.plot(rows["step"], rows["delta"], **BALANCE)
    for cycle, end in zip(found, ends, strict=True):
        step = cycle.rows["step"].to_numpy()[:end]
        for path, look in ((cycle.measured, MEASURED), (cycle.constant, CONSTANT)):
            x, ratio = np.abs(path.x)[:end], cycle.level(path)[:end]
            plane.plot(ratio, x, **look)
            size.plot(step, x, **look)
            level.plot(step, ratio, **look)
        if not cycle.holds:
            for panel in (size, level):
                panel.axvspan(step[cycle.limit], step[-1], **PAST)
    top = 1.03 * rows["level"].max()
    plane.set_xlim(2 - top, top)
    level.axhline(1, color="0.5", linewidth=0.6)
    plane.axvline(1, color="0.5", linewidth=0.6)
    for panel in (plane, size):
        panel.set_yscale("log")
        panel.set_ylim(rows["x"].abs().min() / 3, 3 * rows["x"].abs().max())
        panel.set_ylabel("$|x|$")
    for panel in (size, level):
        step_axis(panel)
    plane.set_xlabel("sharpness / threshold")
    level.set_ylabel("sharpness / threshold")
