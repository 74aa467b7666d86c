"""An optimizer beside its continuous-time models: where some of its parameters go, and how far apart all are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.labels import labels as names
from aeos.results.read import Run

TABLES = ("distances", "coordinates")

MOST = 16  # parameters shown
SECOND, CORRECTED = "adam_order2", "adam_corrected"
LOOKS: dict[str, dict[str, Any]] = {
    "adam_order1": {"color": style.COLOURS[2], "linestyle": (0, (1, 1))},
    SECOND: style.THEORY,
    CORRECTED: {"color": style.COLOURS[1], "linestyle": "-"},
}
CALLED = {"adam_order1": "first order", SECOND: "second order"}
OVERLAID = {"linewidth": 2.4, "solid_capstyle": "round", "alpha": 0.6}  # the optimizer, under the dashes of its model


def displacements(run: Run) -> dict[str, pd.DataFrame]:
    """process → (θᵢ(step) − θᵢ(0))/η: a row a step, a column for each of up to 16 indices i; the optimizer comes first.

    Raises BadInput when the run has no row yet, or no model beside its optimizer.
    """
    rows = run.table("coordinates")
    processes, index = list(dict.fromkeys(rows["process"])), np.unique(rows["index"])
    if len(processes) < 2:
        raise BadInput(f"{run.name}: no rows of a model yet; wait for the first measurement")
    shown = index[np.linspace(0, len(index) - 1, min(len(index), MOST)).astype(int)]
    wide = rows[rows["index"].isin(shown)].pivot(index="step", columns=["process", "index"], values="value")
    moved = (wide - wide.iloc[0]) / run.config["optimizer"]["lr"]
    return {str(name): moved[name].dropna() for name in processes}


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """(a) Parameters of the first run, its model dashed; then what parts them; last, the distance of all, all runs.

    Raises BadInput as `displacements` does.
    """
    (optimizer, adam), *models = displacements(runs[0]).items()
    shown = [model for model in models if model[0] in (SECOND, CORRECTED)] or models[:1]
    figure = style.new(height=3.9)
    grid = figure.add_gridspec(2, len(shown) + 1, height_ratios=(1.25, 1))
    paths = figure.add_subplot(grid[0, :])
    shades = style.sequential(list(adam.iloc[-1]))
    for index, shade in zip(adam, shades, strict=True):
        paths.plot(adam.index, adam[index], **shade | OVERLAID)
        paths.plot(shown[0][1].index, shown[0][1][index], **style.THEORY)
    paths.set_ylabel(r"$(\theta_i - \theta_i(0))/\eta$")
    panels = [paths]
    for place, (name, model) in enumerate(shown):
        panel = figure.add_subplot(grid[1, place], sharey=panels[1] if place else None)
        for index, shade in zip(adam, shades, strict=True):
            apart = (model[index] - adam[index]).dropna()
            panel.plot(apart.index, apart, **shade, linewidth=0.8)
        panel.set_ylabel(rf"{_called(name)} $-$ {optimizer.capitalize()}")
        panels.append(panel)
    panels.append(figure.add_subplot(grid[1, -1]))
    looks = _distances(panels[-1], runs)
    for panel in panels:
        panel.set_xlabel("step")
        style.steps_axis(panel)
    style.letters(panels)
    entries = [Line2D([], [], **look, label=_called(name)) for name, look in looks.items()]
    middle = style.sequential([0, 1, 2])[1]
    style.legend_below(figure, [Line2D([], [], **middle | OVERLAID, label=optimizer.capitalize()), *entries])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Every model of Adam ends near it, the corrected one much nearer; parameters move as the published one says."""
    found = []
    for run, label in zip(runs, names(runs), strict=True):
        (_, adam), *models = displacements(run).items()
        ends = run.table("distances").groupby("process")["relative"].last()
        for name in (name for name, _ in models if name in LOOKS):
            limit = 3e-3 if name == CORRECTED else 3e-2
            text = f"{label}, {_called(name)}: rms distance over rms displacement at the end"
            found.append(Claim(text, limit, float(ends[name]), 0.0, "at_most", "measured", set_after=True))
        for name, model in models:
            if name == SECOND:
                alike = model.corrwith(adam)
                text = f"{label}, {_called(name)}: correlation of a parameter's path with Adam's"
                for which, value, least in (("median", alike.median(), 0.999), ("least", alike.min(), 0.99)):
                    measured = float(value)
                    found.append(
                        Claim(f"{text}, {which}", least, measured, 0.0, "at_least", "measured", set_after=True)
                    )
    return found


def _distances(panel: Axes, runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """rms(θ − θ*)/rms(θ* − θ₀) of each model and run; returns the looks of the models."""
    tables = [run.table("distances") for run in runs]
    present = list(dict.fromkeys(name for table in tables for name in table["process"]))
    looks = dict(zip(present, style.categorical(len(present)), strict=True))
    looks |= {name: look for name, look in LOOKS.items() if name in present}
    for table in tables:
        for name, rows in table.groupby("process", sort=False):
            panel.plot(rows["step"], rows["relative"], **looks[str(name)])
    panel.set_yscale("log")
    panel.set_ylabel("relative rms distance")
    return looks


def _called(name: str) -> str:
    return CALLED.get(name, name.removeprefix("adam_").replace("_", " "))
