"""How sharp the loss is at equal loss: an adaptive method that goes on adapting, beside itself with P frozen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.batch_sizes import by_optimizer
from aeos.figures.edge.readings import measured
from aeos.results.read import Run

TABLES = ("sharpness",)
LOSSES = 25  # at which two runs are compared


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """λ₁(H) against the loss, which falls from left to right; one panel an optimizer, a dot where P was frozen."""
    groups = by_optimizer(runs)
    freezes = sorted({frozen(run) for run in runs}, key=lambda step: step or 0)
    look = dict(zip(freezes, style.categorical(len(freezes)), strict=True))
    figure = style.new(height=2.3)
    panels = list(figure.subplots(1, len(groups), squeeze=False).flat)
    for panel, (name, group) in zip(panels, groups.items(), strict=True):
        for run in sorted(group, key=lambda run: frozen(run) is None):  # adapting on top: until then they are one
            rows, own = measured(run), look[frozen(run)]
            panel.plot(rows["train_loss"], rows["sharpness"], **own, linewidth=0.9)
            at = rows[rows["step"] == frozen(run)]
            panel.plot(at["train_loss"], at["sharpness"], "o", color=own["color"], zorder=4)
        panel.set_title(name)
        _loss_axis(panel)
    panels[0].set_ylabel("sharpness")
    style.letters(panels)
    names = {step: f"P frozen at step {step}" if step else "P adapts" for step in freezes}
    style.legend_below(figure, [Line2D([], [], **look[step], label=names[step]) for step in freezes])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """At equal loss, from where P was frozen to the lowest that both reach, adapting leads through the sharper."""
    found = []
    for name, group in by_optimizer(runs).items():
        adapting = [run for run in group if frozen(run) is None]
        for run in (run for run in group if frozen(run) is not None):
            text = f"{name}: sharpness at equal loss, adapting over frozen at step {frozen(run)}, median"
            found += [Claim(text, 1.0, at_equal_loss(other, run), 0.0, "at_least") for other in adapting]
    return found


def frozen(run: Run) -> int | None:
    step = run.config["optimizer"].get("freeze")
    return None if step is None else int(step)


def at_equal_loss(run: Run, other: Run) -> float:
    """Median of λ₁(run)/λ₁(other) over losses from where the second froze its P down to the lowest that both reach.

    A run is at a loss where it first reaches it: at the edge the loss goes up and down.
    """
    tables = [measured(one) for one in (run, other)]
    lowest = [np.minimum.accumulate(table["train_loss"].to_numpy()) for table in tables]
    begin = lowest[1][tables[1]["step"] <= (frozen(other) or 0)][-1]
    losses = np.geomspace(begin, max(low[-1] for low in lowest), LOSSES)
    sharp = [
        table["sharpness"].to_numpy()[np.searchsorted(-low, -losses)] for table, low in zip(tables, lowest, strict=True)
    ]
    return float(np.median(sharp[0] / sharp[1]))


def _loss_axis(panel: Axes) -> None:
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.invert_xaxis()
    panel.set_xlabel("train loss")
