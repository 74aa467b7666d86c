"""What the published law of ‖W‖² takes for granted, measured: weights at right angles to gradients, one v a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.labels import labels as names
from aeos.figures.stability.matrices import about, called, measured, settings
from aeos.results.read import Run
from aeos.theory.scale_invariance import gradient_cosine

TABLES = ("scale_invariance", "alignments")
START = 20  # steps: twice what momentum remembers at γ = 0.9


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """cos(W, g) by lag: mean, and its size; then the distribution of cos(u, m) over steps and matrices."""
    look = style.looks(labels)
    figure = style.new(height=2.0)
    panels = mean, size, normal = list(figure.subplots(1, 3))
    for run, label in zip(runs, labels, strict=True):
        rows = aligned(run)
        for panel, change in ((mean, pd.Series), (size, pd.Series.abs)):
            _by_lag(panel, change(rows["cosine"]), change(rows["predicted"]), rows["lag"], look[label])
        values = measured(run)["normalization_cosine"].dropna()
        normal.hist(values, bins=np.linspace(0.6, 1, 41), density=True, histtype="step", linewidth=1.0, **look[label])
    size.set_yscale("log")
    mean.set_ylabel(r"$\cos(W_n, g_{n-l})$")
    size.set_ylabel(r"$|\cos(W_n, g_{n-l})|$")
    normal.set_xlabel(r"$\cos(u, m)$")
    normal.set_ylabel("density")
    style.letters(panels)
    lines = [Line2D([], [], **look[label], label=label) for label in look]
    style.legend_below(figure, [*lines, Line2D([], [], **style.THEORY, label="uncorrelated gradients")])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """At lag 0 a gradient is at right angles; with minibatches, mean cosines and ⟨W, u⟩ are those that momentum makes.

    Of cos(u, m) nothing is predicted but 1 at best: reported. On the full batch a gradient persists at the start, when
    the corrected law counts already what momentum has not remembered yet: there it is the worse one.
    """
    found = []
    for name, run in called(runs, names(runs)).items():
        rows, table, of = aligned(run), measured(run), settings(run)
        lag = rows["lag"].max()
        text, exact = about(name), 1e-14 if run.config["dtype"] == "float64" else 1e-5
        largest, far = rows.loc[rows["lag"] == 0, "cosine"].abs().max(), rows[rows["lag"] == lag]
        normal = table["normalization_cosine"].median()
        found += [
            Claim(f"{text}largest |cos(W, g)| at lag 0", 0.0, largest, exact, "absolute", "published"),
            Claim(f"{text}median cos(u, m)", 0.85, normal, 0.0, "at_least", "measured", set_after=True),
        ]
        if run.config["batch_size"] is None:
            corrected, published = (_error_at(table, law) for law in ("corrected", "published"))
            says = f"{text}relative error of ‖W‖² at step {START}, mean: corrected at least published"
            found.append(Claim(says, published, corrected, 0.0, "at_least", "measured", set_after=True))
            continue
        crossed = -table["inner"].sum() / (of.lr * table["squared_update"].sum())
        mean, predicted = far["cosine"].mean(), far["predicted"].mean()
        found += [
            Claim(f"{text}mean cos(W, g) at lag {lag}", predicted, mean, 0.25, "relative", "derived", set_after=True),
            Claim(f"{text}−⟨W, u⟩/(η‖u‖²), means", (of.factor - 1) / 2, crossed, 0.2, "relative", "derived", True),
        ]
    return found


def aligned(run: Run) -> pd.DataFrame:
    """alignments.csv with the cosine of uncorrelated gradients beside the measured one."""
    norms = measured(run)[["step", "matrix", "squared_norm"]]
    rows, of, model = (
        measured(run, "alignments").merge(norms, on=["step", "matrix"]),
        settings(run),
        run.config["model"],
    )
    size = model["width"] ** 2 // model["heads"]
    return rows.assign(predicted=gradient_cosine(rows["lag"], size, np.sqrt(rows["squared_norm"]), of.lr, of.gamma))


def _error_at(table: pd.DataFrame, law: str) -> float:
    """Mean over matrices at the last row up to step START."""
    rows = table[table["step"] == table.loc[table["step"] <= START, "step"].max()]
    return float((rows[law] / rows["squared_norm"] - 1).abs().mean())


def _by_lag(panel: Axes, values: pd.Series, predicted: pd.Series, lags: pd.Series, look: dict[str, Any]) -> None:
    """Mean against the lags, evenly spaced; as a band, all but a tenth at either end. Lag 0 stands alone."""
    groups = values.groupby(lags)
    columns = {"mean": groups.mean(), "low": groups.quantile(0.1), "high": groups.quantile(0.9)}
    table = pd.DataFrame(columns | {"predicted": predicted.groupby(lags).mean(), "place": range(groups.ngroups)})
    later = table[table.index > 0]
    panel.plot(table["place"], table["mean"], "o", markersize=2, color=look["color"])
    panel.plot(later["place"], later["mean"], linewidth=0.9, **look)
    panel.plot(later["place"], later["predicted"], **style.THEORY)
    panel.fill_between(later["place"], later["low"], later["high"], color=look["color"], alpha=0.2, linewidth=0)
    panel.set_xticks(table["place"], [str(lag) for lag in table.index])
    panel.set_xlabel("lag $l$ (steps)")
