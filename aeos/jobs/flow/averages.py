"""What an optimizer did on average beside what its central flows predicted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aeos.results.recorder import Recorder
from aeos.results.summary import number
from aeos.theory.average import gaussian_average


def smooth(recorder: Recorder, folder: Path, sigma: float) -> None:
    """Write smoothed.csv: Σ_j w_ij m_j/Σ_j w_ij over the measured numbers m of predictions.csv, w Gaussian."""
    import numpy as np
    import pandas as pd

    if not (folder / "predictions.csv").exists():
        return
    table = pd.read_csv(folder / "predictions.csv")
    steps = np.unique(table["step"])
    width = sigma / max(1, np.diff(steps).max(initial=1))
    for (process, quantity), rows in table.groupby(["process", "quantity"], sort=False):
        values = rows.set_index("step")["measured"].reindex(steps)
        for step, value in zip(steps, gaussian_average(values, width), strict=True):
            if np.isfinite(value):
                recorder.write("smoothed", {"step": step, "process": process, "quantity": quantity, "smoothed": value})


def averages(predictions: Path) -> dict[str, dict[str, dict[str, float | None]]]:
    """process → quantity → its mean over the rows in which it stands, predicted and measured; {} without rows.

    The first step is left out: a flow that begins beyond the edge is there brought back to it at once.
    """
    import pandas as pd

    if not predictions.exists():
        return {}
    found: dict[str, dict[str, Any]] = {}
    table = pd.read_csv(predictions)
    table = table[table["step"] > table["step"].min()]
    for (process, quantity), rows in table.groupby(["process", "quantity"], sort=False):
        means = {key: number(rows[key].mean()) for key in ("predicted", "measured")}
        found.setdefault(str(process), {})[str(quantity)] = means
    return found
