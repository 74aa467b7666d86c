"""Optimizers beside their SDEs: the mean train loss over all paths, and how far apart the means are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.curves import LOG_FROM
from aeos.figures.labels import network
from aeos.figures.sde.readings import LOSS, called, processes
from aeos.results.read import Run

TABLES = ("moments", "gaps")

LIMITS = {"MLP": 0.02}  # of the loss range: how far the mean loss of an SDE may be from its optimizer's
LIMIT = 0.03  # on anything else
ACROSS = 4  # columns at most
OPTIMIZER: dict[str, Any] = {"color": style.COLOURS[0], "linewidth": 2.4, "alpha": 0.6, "solid_capstyle": "round"}
LOOKS: dict[str, dict[str, Any]] = {
    "new": style.THEORY,
    "prior": {"color": style.COLOURS[1], "linestyle": style.DASHES[1]},
    "empirical": {"color": style.COLOURS[2], "linestyle": "-", "linewidth": 0.9},
    "empirical_full": {"color": style.COLOURS[3], "linestyle": style.DASHES[2], "linewidth": 1.3},
    "lagged": {"color": style.COLOURS[2], "linestyle": "-"},
    "noisy": {"color": style.COLOURS[3], "linestyle": style.DASHES[2]},
    "faithful": {"color": style.COLOURS[1], "linestyle": "-"},
}
CALLED = {
    "new": "SDE",
    "empirical": "SDE, empirical signs one by one",
    "empirical_full": "SDE, empirical signs together",
} | {name: f"{name} SDE" for name in ("prior", "lagged", "noisy", "faithful")}


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """For each run the mean loss ± one standard error, and its SDEs' gaps ± two in % of the loss range."""
    across = len(runs) if len(runs) <= ACROSS else math.ceil(len(runs) / 2)
    figure = style.new(height=2.0 if len(runs) == 1 else 2.5 * math.ceil(len(runs) / across))
    pairs = list(_pairs(figure, len(runs), across))
    name = network if len(runs) > 1 and len({called(run) for run in runs}) == 1 else titled  # the legend has the one
    for run, (upper, lower) in zip(runs, pairs, strict=True):
        upper.set_title(name(run))
        _gaps(lower, run)
        _losses(upper, run)
        for panel in (upper, lower):
            style.steps_axis(panel)
            if panel is lower or len(runs) == 1:
                panel.set_xlabel("step")
    for upper, lower in pairs[::across]:
        upper.set_ylabel("train loss")
        lower.set_ylabel("gap / loss range (%)")
    rows = [pairs[start : start + across] for start in range(0, len(pairs), across)]
    style.letters(panel for row in rows for level in zip(*row, strict=True) for panel in level)
    style.legend_below(figure, _entries(runs))
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Each SDE's mean loss stays near its optimizer's; that of the prior SDE does not, nor do Gaussian signs, where
    others are there to be compared.
    """
    found = []
    for run in runs:
        gaps = shares(run)
        for name, rows in gaps.items():
            if name == "prior":
                found.append(_prior(run, gaps))
            elif name == "new" and "empirical" in gaps:
                ratio = largest(rows)[0] / largest(gaps["empirical"])[0]
                text = f"{titled(run)}, minibatches: largest gap of the SDE with Gaussian signs over empirical ones'"
                found.append(Claim(text, 3.0, ratio, 0.0, "at_least", "measured", set_after=True))
            else:
                found.append(_near(run, name, rows))
    return found


def titled(run: Run) -> str:
    """AdamW, ViT."""
    return f"{called(run)}, {network(run)}"


def losses(run: Run) -> dict[str, pd.DataFrame]:
    """process → mean and error of the train loss, a row an observation, indexed by step; the optimizer comes first."""
    rows = _of_losses(run, "moments")
    return {name: rows[rows["process"] == name][["mean", "error"]] for name in processes(run)}


def shares(run: Run) -> dict[str, pd.DataFrame]:
    """SDE → gap to the optimizer's mean loss and its standard error, as shares of the range which that went through.

    Raises BadInput while that has not moved.
    """
    real = next(iter(losses(run).values()))["mean"]
    width = real.max() - real.min()
    if not width > 0:
        raise BadInput(f"{run.name}: its loss has not moved yet; wait for the next measurement")
    rows = _of_losses(run, "gaps")
    return {str(name): part[["gap", "error"]] / width for name, part in rows.groupby("process", sort=False)}


def largest(rows: pd.DataFrame) -> tuple[float, float, int]:
    """The largest |gap|, its standard error, and its step; ∞ where the SDE has diverged."""
    gaps = rows["gap"].abs().fillna(math.inf).to_numpy()
    worst = gaps.argmax()
    return float(gaps[worst]), float(rows["error"].iloc[worst]), int(rows.index.to_numpy()[worst])


def band(panel: Axes, middle: pd.Series, width: pd.Series, colour: str) -> None:
    """Of this half width, over the index."""
    panel.fill_between(middle.index, middle - width, middle + width, color=colour, alpha=0.18, linewidth=0)


def _of_losses(run: Run, table: str) -> pd.DataFrame:
    rows = run.table(table)
    return rows[rows["quantity"] == LOSS].set_index("step")


def _near(run: Run, name: str, rows: pd.DataFrame) -> Claim:
    gap, error, step = largest(rows)
    limit = LIMITS.get(network(run), LIMIT)
    text = f"{titled(run)}, {CALLED[name]}: largest |gap| of mean losses over their range"
    text += f" (step {step}, standard error {error:.2g}{', three of which are allowed' if 3 * error > limit else ''})"
    return Claim(text, 0.0, gap, max(limit, 3 * error), "at_most", "published")


def _prior(run: Run, gaps: dict[str, pd.DataFrame]) -> Claim:
    diverged = (run.summary or {}).get("sdes", {}).get("prior", {}).get("diverged_at")
    if diverged is not None:
        return Claim(f"{titled(run)}: the prior SDE diverges, at step", 20, diverged, 0.0, "at_most", "measured")
    ratio = largest(gaps["prior"])[0] / largest(gaps["new"])[0] if "new" in gaps else math.nan
    return Claim(
        f"{titled(run)}: largest gap of the prior SDE over the new one's", 10, ratio, 0, "at_least", "measured"
    )


def _pairs(figure: Figure, count: int, across: int) -> Iterator[tuple[Axes, Axes]]:
    """Panels for losses and gaps, these below those; a single pair stands side by side."""
    if count == 1:
        yield tuple(figure.subplots(1, 2))
        return
    grid = figure.add_gridspec(2 * math.ceil(count / across), across)
    for place in range(count):
        row, column = divmod(place, across)
        yield figure.add_subplot(grid[2 * row, column]), figure.add_subplot(grid[2 * row + 1, column])


def _losses(panel: Axes, run: Run) -> None:
    """Of the optimizer and its SDEs, as far as its own range goes and a little beyond."""
    found = losses(run)
    real = next(iter(found.values()))["mean"].to_numpy()
    low, high = real.min(), real.max()
    if low > 0 and high > LOG_FROM * low:
        panel.set(yscale="log", ylim=(low / 2, high * 2))
    else:
        panel.set_ylim(low - 0.1 * (high - low), high + 0.2 * (high - low))
    for place, (name, rows) in enumerate(found.items()):
        look = LOOKS[name] if place else OPTIMIZER
        panel.plot(rows.index, rows["mean"], **look)
        band(panel, rows["mean"], rows["error"], look["color"])


def _gaps(panel: Axes, run: Run) -> None:
    """Dotted, what the claims allow. Where a gap is far beyond it: logarithmic from 1 % on, either way."""
    limit = 100 * LIMITS.get(network(run), LIMIT)
    found = shares(run)
    for name, rows in found.items():
        panel.plot(rows.index, 100 * rows["gap"], **LOOKS[name])
        band(panel, 100 * rows["gap"], 200 * rows["error"], LOOKS[name]["color"])
    for level in (-limit, limit):
        panel.axhline(level, color="0.5", linestyle=":", linewidth=0.8)
    panel.axhline(0, color="0.8", linewidth=0.6, zorder=0)
    gaps = np.concatenate([100 * rows["gap"] for rows in found.values()])
    most = np.abs(gaps[np.isfinite(gaps)]).max()
    if most > 2 * limit:
        panel.set_yscale("symlog", linthresh=1.0, linscale=0.8)
        panel.set_yticks([-100, -10, -1, 0, 1, 10, 100])
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
        panel.minorticks_off()
    else:
        panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    edge = min(2 * most, 200) if most > 2 * limit else max(1.3 * limit, 1.1 * most)
    panel.set_ylim(-edge, edge)


def _entries(runs: Sequence[Run]) -> list[Line2D]:
    names = {called(run) for run in runs}
    optimizer = Line2D([], [], **OPTIMIZER, label=names.pop() if len(names) == 1 else "optimizer")
    present = {name for run in runs for name in processes(run)}
    return [optimizer, *(Line2D([], [], **look, label=CALLED[name]) for name, look in LOOKS.items() if name in present)]
