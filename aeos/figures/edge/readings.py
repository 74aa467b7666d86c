"""What figures of the edge of stability share: a run's measurements, where it stood, how near it has to stand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim, Kind
from aeos.results.read import Run
from aeos.theory.verdict import NEARLY_ZERO, Verdict, verdict

#: How far below and above 1 the median ratio over the last half may lie. All were set after runs of these settings.
WINDOWS = {"adam": (0.10, 0.10), "nadam": (0.05, 0.20), "rmsprop": (0.05, 0.20)}
WINDOW = (0.05, 0.10)  # of every other optimizer
MOMENTUM = ("ema", "heavy_ball")  # judged by the best fifth of the run: their ratio sags as the loss vanishes


def measured(run: Run) -> pd.DataFrame:
    """The rows of sharpness.csv that hold finite measurements. Raises BadInput when there is none yet."""
    table = run.table("sharpness")
    table = table[np.isfinite(table["ratio"]) & np.isfinite(table["train_loss"])]
    if table.empty:
        raise BadInput(f"{run.name}: nothing finite was measured yet; wait for the first measurement")
    return table.reset_index(drop=True)


def standing(run: Run) -> Verdict:
    """Where the run stood to the edge, from its table."""
    table = measured(run)
    nearly_zero = NEARLY_ZERO[run.config["problem"].get("criterion", "mse")]
    return verdict(table["step"], table["ratio"], table["train_loss"], nearly_zero=nearly_zero)


def at_the_edge(run: Run, label: str) -> list[Claim]:
    """The median ratio is no further below 1, and no further above, than the optimizer's window: one claim or two."""
    optimizer, stood = run.config["optimizer"], standing(run)
    name = "rmsprop" if optimizer.get("beta1") == 0 else str(optimizer["name"])  # Adam without momentum
    what, value = ("median", stood.median) if name not in MOMENTUM else ("best fifth's median", stood.rolling)
    below, above = WINDOWS.get(name, WINDOW)
    text = f"{label}: {what} of sharpness/threshold"
    kinds: list[tuple[Kind, float]] = [("at_least", below), ("at_most", above)]
    if below == above:
        kinds = [("absolute", below)]
    return [Claim(text, 1.0, value, slack, kind, "published", set_after=True) for kind, slack in kinds]


def ratio_axis(panel: Axes, runs: Iterable[Run]) -> None:
    """0 to just above the largest ratio, what came before a run that began above the edge was down aside; 1 dashed."""
    panel.axhline(1, **style.THEORY)
    panel.set_ylim(0, 1.05 * max(1.2, *(standing(run).largest for run in runs)))
    panel.set_ylabel("sharpness / threshold")
    step_axis(panel)


def step_axis(panel: Axes) -> None:
    panel.set_xlabel("step")
    style.steps_axis(panel)
