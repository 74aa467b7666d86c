"""How scale-invariant matrices turn: the direction's dynamics, steered by either norm, and the implied second stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.labels import labels as names
from aeos.figures.stability.matrices import (
    LAWS,
    TRUE,
    Settings,
    about,
    by_matrix,
    called,
    each,
    late,
    measured,
    rms,
    settings,
    spread,
)
from aeos.results.read import Run
from aeos.theory.scale_invariance import equilibrium_rotation

TABLES = ("scale_invariance",)
DEGREE = 180 / np.pi  # of one radian
ERRORS = {"angle_error_true": TRUE, **{f"angle_error_{law}": look for law, look in LAWS.items()}}
STAGES = {"rotation": TRUE, "implied_rotation": LAWS["published"], "corrected_rotation": LAWS["corrected"]}


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """A row a run: angles from the start; errors of the integrated directions; rotation a step, rms over matrices."""
    figure = style.new(height=1.95 * len(runs))
    grid = figure.subplots(len(runs), 3, squeeze=False)
    for (angles, errors, turns), (name, run) in zip(grid, called(runs, labels).items(), strict=True):
        rows = with_decay(run)
        each(angles, DEGREE * by_matrix(rows, "angle"))
        angles.set_ylabel("angle from the start (°)")
        for column, look in ERRORS.items():
            spread(errors, DEGREE * by_matrix(rows, column).iloc[1:], **look)
        errors.set_yscale("log")
        errors.set_ylabel("error of the direction (°)")
        _turns(turns, rows, settings(run))
        errors.set_title(name)
        for panel in (angles, errors, turns):
            panel.set_xlabel("step")
            style.steps_axis(panel)
    style.letters(grid.flat)
    figure.align_ylabels()
    names = ("(b) true norm; (c) measured", "published norm; implied stage", "both corrected for momentum")
    lines = [Line2D([], [], **look, label=name) for look, name in zip(STAGES.values(), names, strict=True)]
    style.legend_below(figure, [*lines, Line2D([], [], **style.THEORY, label="equilibrium")])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The true norm steers to where W went, the corrected one nearly; the implied stage is too large by √factor."""
    found = []
    for name, run in called(runs, names(runs)).items():
        rows, of, text = with_decay(run), settings(run), about(name)
        last = {column: DEGREE * float(by_matrix(rows, column).iloc[-1].mean()) for column in ("angle", *ERRORS)}
        limits = {"angle_error_true": 0.2, "angle_error_corrected": 2.0}
        for column, limit in limits.items():
            says = f"{text}direction steered by the {column.rpartition('_')[2]} norm, error at the end in degrees"
            found.append(Claim(says, limit, last[column], 0.0, "at_most", "derived", set_after=True))
        says = f"{text}the same by the published norm, over the corrected's"
        quotient = last["angle_error_published"] / last["angle_error_corrected"]
        found.append(Claim(says, 1.0, quotient, 0.0, "at_least", "derived"))
        if of.forgotten:
            found += _stages(rows, of, text)
    return found


def _stages(rows: pd.DataFrame, of: Settings, text: str) -> list[Claim]:
    turned, *stages = (rms(late(by_matrix(rows, column))) for column in STAGES)
    found = []
    for name, predicted, stage in zip(("implied", "corrected"), (of.factor**0.5, 1.0), stages, strict=True):
        says = f"{text}rms rotation a step over the last quarter, {name} stage over measured"
        found.append(Claim(says, predicted, stage / turned, 0.1, "relative", "derived", set_after=True))
    return found


def with_decay(run: Run) -> pd.DataFrame:
    """The run's rows. Raises BadInput without weight decay: there is no second stage then."""
    if not settings(run).decay:
        raise BadInput(f"{run.name}: weight_decay is 0, so that nothing implies a second stage; give a run with decay")
    return measured(run)


def _turns(panel: Axes, rows: pd.DataFrame, of: Settings) -> None:
    for column, look in STAGES.items():
        table = by_matrix(rows, column).iloc[1:]
        panel.plot(table.index, np.sqrt((table**2).mean(axis=1)), **look, linewidth=0.6)
    for gamma in (None, of.gamma):
        panel.axhline(float(equilibrium_rotation(of.lr, of.decay, gamma)), **style.THEORY)
    panel.set_yscale("log")
    panel.set_ylabel("rotation a step (rad)")
