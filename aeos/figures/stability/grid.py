"""Test loss over a grid in the (β, γ) plane, the learning rate retuned at every point, against the coefficient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.stability.readings import rank_correlation, swept
from aeos.results.read import Run
from aeos.theory import stability

TABLES = ("points",)

LEVELS = (-0.7, -0.1, 0.1, 0.3, 1.0, 3.0)
LINEAR = 0.1  # |C| up to which its axis is linear
INSIDE = 1 - 1e-9  # 1 − β and 1 − γ end here
LEVEL: dict[str, Any] = {"color": "white", "linewidth": 0.7}
LABEL: dict[str, Any] = {"fontsize": 6, "textcoords": "offset points"}


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """The plane, coloured by the best test loss, with levels of C; the same numbers against C, one line a γ."""
    table = tuned(runs)
    figure = style.new(height=2.2)
    panels = list(figure.subplots(1, 2))
    _map(figure, panels[0], table)
    _lines(panels[1], table)
    style.letters(panels)
    style.legend_below(figure, panels[1].get_legend_handles_labels()[0])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The larger C, the lower the best test loss: over all of the plane, on either side of C = 0, along either axis."""
    table = tuned(runs)
    parts = {
        "all points": [table],
        "C > 0": [table.query("coefficient > 0")],
        "C < 0": [table.query("coefficient < 0")],
    }
    for held, moved, column in (("γ", "β", "gamma"), ("β", "γ", "beta")):
        parts[f"{moved} alone moved, mean over {held}"] = [group for _, group in table.groupby(column)]
    found = []
    for name, groups in parts.items():
        ranks = [rank_correlation(group["coefficient"], group["loss"]) for group in groups if len(group) > 2]
        if ranks:
            text, mean = f"rank correlation of C and the best test loss, {name}", float(np.mean(ranks))
            found.append(Claim(text, 0.0, mean, 0.0, "at_most", "published"))
    return found


def tuned(runs: Sequence[Run]) -> pd.DataFrame:
    """One row a point (β, γ): `loss`, the best test loss, its mean over seeds at the learning rate `lr` where that is
    lowest, and `low` and `high`, over the seeds there.
    """
    every = pd.concat([swept([run]).assign(lr=run.config["optimizer"]["lr"]) for run in runs])
    seeds = every.groupby(["beta", "gamma", "coefficient", "lr"])["best_test_loss"]
    table = seeds.agg(loss="mean", low="min", high="max").reset_index()
    return table.loc[table.groupby(["beta", "gamma"])["loss"].idxmin()].reset_index(drop=True)


def _map(figure: Figure, panel: Axes, table: pd.DataFrame) -> None:
    cells = table.pivot(index="beta", columns="gamma", values="loss")
    x, y = _edges(1 - cells.columns.to_numpy()), _edges(1 - cells.index.to_numpy())
    mesh = panel.pcolormesh(x, y, cells, cmap="viridis_r")
    panel.set(xscale="log", yscale="log", xlabel=r"$1-\gamma$", ylabel=r"$1-\beta$")
    panel.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    panel.minorticks_off()
    beta, gamma = 1 - np.geomspace(y[0], y[-1], 500), 1 - np.geomspace(x[0], x[-1], 500)
    for c in (0.0, *LEVELS):  # levels of C > 0 end at the top, near β = 1, the others on the right
        across = (
            (stability.level_curve_gamma(beta, c), beta) if c > 0 else (gamma, stability.level_curve_beta(gamma, c))
        )
        right, up = (1 - np.asarray(rate) for rate in across)
        panel.plot(right, up, **LEVEL | ({"linewidth": 1.6} if c == 0 else {}))
        _value(panel, c, right[-2], up[-2])
    figure.colorbar(mesh, ax=panel, pad=0.04).set_label("best test loss")


def _value(panel: Axes, c: float, x: float, y: float) -> None:
    """The level's value where it leaves the panel: above it where C > 0, to the right of it elsewhere; none outside."""
    place = {"xytext": (0, 1.5), "ha": "center", "va": "bottom"} if c > 0 else {"xytext": (1.5, 0), "va": "center"}
    panel.annotate(f"{c:g}".replace("-", "−"), (x, y), **LABEL | place)


def _lines(panel: Axes, table: pd.DataFrame) -> None:
    groups = list(table[np.isfinite(table["coefficient"])].groupby("gamma"))
    for (gamma, rows), look in zip(groups, style.sequential([-gamma for gamma, _ in groups]), strict=True):
        spread = [rows["loss"] - rows["low"], rows["high"] - rows["loss"]]
        panel.errorbar(rows["coefficient"], rows["loss"], spread, fmt="none", ecolor="0.75", elinewidth=0.6)
        name = rf"$\gamma={gamma:g}$"
        panel.plot(rows["coefficient"], rows["loss"], **look, marker="o", markersize=3, linewidth=0.7, label=name)
    panel.axvline(0, color="0.8", linewidth=0.6)
    panel.set_xscale("symlog", linthresh=LINEAR)
    panel.margins(x=0.06)
    panel.set(xlabel="$C$", ylabel="best test loss")


def _edges(centres: np.ndarray) -> np.ndarray:
    """(n + 1,): half way between n cells, on a logarithmic axis, which ends below 1."""
    logs = np.log(centres)
    inner = (logs[1:] + logs[:-1]) / 2
    return np.minimum(np.exp(np.concatenate([[2 * logs[0] - inner[0]], inner, [2 * logs[-1] - inner[-1]]])), INSIDE)
