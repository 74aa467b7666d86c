"""A network under the scaling rule: runs with κη on κ²B beside the one with η on B, after as many samples."""

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
from aeos.figures.sde.losses import band, largest, losses
from aeos.figures.sde.readings import processes
from aeos.results.read import NOT_IDENTITY, Run, flatten

TABLES = ("moments",)

RULE = NOT_IDENTITY | {"kappa", "kappa_decay"}
UNSCALED = ", decay not scaled"
PREMISE = 1.25  # up to here κ²v/v of the base is 1, as the rule supposes: signal is a tenth of the noise, for κ = 2


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """A row for each setting but κ: mean losses with their SDEs'; gaps to the base ± two standard errors; κ²v over the
    base's v, with quartiles. Raises BadInput as `groups` does.
    """
    rows = groups(runs)
    figure = style.new(height=0.2 + 1.75 * len(rows))
    grid = figure.subplots(len(rows), 3, squeeze=False)
    for (base, others), panels in zip(rows, grid, strict=True):
        looks = style.categorical(1 + len(others))
        for run, look in zip((base, *others), looks, strict=True):
            _losses(panels[0], run, look)
        for run, look in zip(others, looks[1:], strict=True):
            _against(panels[1], panels[2], base, run, look)
        for level in {1.0, *(run.config["kappa"] ** 2 for run in others)}:
            panels[2].axhline(level, **style.THEORY)
        panels[1].axhline(0, color="0.8", linewidth=0.6, zorder=0)
        if len(rows) > 1:
            noise = base.config["noise"]
            panels[1].set_title(f"with noise {noise:g}" if noise else "minibatches alone")
        names = ("train loss", "gap / loss range (%)", r"$\kappa^2 v\,/\,v_{\mathrm{base}}$")
        for panel, name in zip(panels, names, strict=True):
            panel.set_ylabel(name)
            style.steps_axis(panel)
    for panel in grid[-1]:
        panel.set_xlabel("samples")
    style.letters(grid.flat)
    entries = {line.get_label(): line for panel in grid[:, 0] for line in panel.lines if line.get_label()[0] != "_"}
    on_left = "SDEs on the left, " if any(len(processes(run)) > 1 for run in runs) else ""
    theory = Line2D([], [], **style.THEORY, label=f"{on_left}bounds on the right")
    style.legend_below(figure, [*entries.values(), theory])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Where noise outweighs signal, which second moments tell, the loss of the later half is the base's at every number
    of samples with the rule, and not without weight decay's part of it; where it does not, the rule fails.
    """
    found = []
    for base, others in groups(runs):
        apart = {named(run, plain=True): largest(later(gaps(base, run)))[:2] for run in others}
        for run in (run for run in others if run.config["kappa_decay"]):
            name = named(run, plain=True)
            most, error = apart[name]
            where = f"{name}, noise {base.config['noise']:g}, later half"
            text = f"{where}: largest |gap| to the base over its loss range (standard error {error:.2g})"
            median = float(np.median(later(excess(base, run))))
            if median > PREMISE:
                text += f", where κ²v is {median:.3g} times the base's v, and not 1"
                found.append(Claim(text, 0.1, most, 0.0, "at_least", "derived", set_after=True))
                continue
            premise = f"{where}: κ²v over the base's v, median; 1 is noise alone"
            found.append(Claim(premise, 1.0, median, 0.05, "relative", "derived", set_after=True))
            found.append(Claim(text, 0.0, most, 0.04, "at_most", "published", set_after=True))
            without, error = apart.get(f"{name}{UNSCALED}", (np.nan, np.nan))
            text = f"{where}: largest |gap| with decay not scaled (standard error {error:.2g}), over that with the rule"
            found.append(Claim(text, 2.0, without / most, 0.0, "at_least", "measured", set_after=True))
    return found


def groups(runs: Sequence[Run]) -> list[tuple[Run, list[Run]]]:
    """The run with κ = 1, and the others that differ from it in κ alone, for each setting there is.

    Raises BadInput where one is without the other.
    """
    alike: dict[str, list[Run]] = {}
    for run in runs:
        settings = {key: value for key, value in flatten(run.config).items() if key not in RULE}
        alike.setdefault(repr(settings), []).append(run)
    found = []
    for group in alike.values():
        base = [run for run in group if run.config["kappa"] == 1]
        others = [run for run in group if run.config["kappa"] != 1]
        if len(base) != 1 or not others:
            raise BadInput("the scaling rule: give one run with kappa=1, and at least one that differs in kappa alone")
        found.append((base[0], others))
    return found


def named(run: Run, plain: bool = False) -> str:
    if run.config["kappa"] == 1:
        return "base"
    kappa = f"κ = {run.config['kappa']:g}" if plain else rf"$\kappa={run.config['kappa']:g}$"
    return kappa if run.config["kappa_decay"] else f"{kappa}{UNSCALED}"


def samples(run: Run, step: pd.Index) -> np.ndarray:
    """(steps,): κ²B·step, what a run has seen."""
    return (step.to_numpy() * round(run.config["batch_size"] * run.config["kappa"] ** 2)).astype(int)


def gaps(base: Run, run: Run) -> pd.DataFrame:
    """gap and error of the optimizers' mean losses, as shares of the base's range, by samples that both have seen."""
    (there, *_), (here, *_) = (list(losses(one).values()) for one in (base, run))
    there, here = there.set_axis(samples(base, there.index)), here.set_axis(samples(run, here.index))
    both = there.index.intersection(here.index)
    there, here = there.loc[both], here.loc[both]
    width = there["mean"].max() - there["mean"].min()
    error = np.hypot(here["error"], there["error"])
    return pd.DataFrame({"gap": here["mean"] - there["mean"], "error": error}) / width


def excess(base: Run, run: Run) -> pd.DataFrame:
    """κ²v/v_base, v the optimizers' mean second moments, corrected for their start; (samples, coordinates)

    v is ∇L² + Σ, and Σ ∝ 1/B: 1 where all is noise, κ² where all is signal.
    """
    ratios = run.config["kappa"] ** 2 * second_moments(run) / second_moments(base)
    return ratios.dropna()


def later(table: pd.DataFrame) -> pd.DataFrame:
    """Its rows from half of the samples on: second moments have forgotten the start."""
    return table[table.index >= table.index.max() / 2]


def second_moments(run: Run) -> pd.DataFrame:
    """Of the optimizer, after as many samples as the index says, a column a coordinate."""
    rows = run.table("moments")
    name = rows["process"].iloc[0]
    rows = rows[(rows["process"] == name) & rows["quantity"].str.startswith("v[") & (rows["step"] > 0)]
    wide = rows.pivot(index="step", columns="quantity", values="mean")
    optimizer = run.config["optimizer"]
    if optimizer["bias_correction"]:
        rate = 1 - run.config["kappa"] ** 2 * (1 - optimizer["beta2"])
        wide = wide.div(1 - rate ** wide.index.to_numpy(), axis=0)
    return wide.set_axis(samples(run, wide.index))


def _losses(panel: Axes, run: Run, look: dict[str, Any]) -> None:
    real, *models = (rows.set_axis(samples(run, rows.index)) for rows in losses(run).values())
    panel.plot(real.index, real["mean"], **look, label=named(run))
    band(panel, real["mean"], real["error"], look["color"])
    for model in models:
        panel.plot(model.index, model["mean"], **style.THEORY)


def _against(gap: Axes, second: Axes, base: Run, run: Run, look: dict[str, Any]) -> None:
    apart, ratios = 100 * gaps(base, run), excess(base, run)
    gap.plot(apart.index, apart["gap"], **look)
    band(gap, apart["gap"], 2 * apart["error"], look["color"])
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75), axis=1)
    second.plot(ratios.index, middle, **look)
    second.fill_between(ratios.index, low, high, color=look["color"], alpha=0.18, linewidth=0)
