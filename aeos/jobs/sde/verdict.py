"""How far the SDEs were from their optimizer, read off the run's own tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aeos.jobs.train import reached
from aeos.results.summary import number

LOSS = "train_loss"


def judge(folder: Path, optimizer: str, diverged: Mapping[str, int]) -> dict[str, Any]:
    """status; the optimizer's mean losses at its end; for each SDE the largest gap of the mean train loss over the run.

    The gap is given as a share of the range that the optimizer's mean loss went through, with its standard error, and
    relative to that mean at its own step; `z` is the largest |gap|/error; null is no number.
    """
    import pandas as pd

    moments = pd.read_csv(folder / "moments.csv")
    sdes = [name for name in moments["process"].unique() if name != optimizer]
    gaps = pd.read_csv(folder / "gaps.csv") if sdes else pd.DataFrame()
    real = moments[moments["process"] == optimizer]
    last = real[real["step"] == real["step"].max()].set_index("quantity")["mean"]
    loss = real[real["quantity"] == LOSS]["mean"]
    width = loss.max() - loss.min()
    summary: dict[str, Any] = {"status": "diverged" if diverged else "finished", "steps": int(real["step"].max())}
    summary |= {name: number(last[name]) for name in last.index if "[" not in name}
    summary["diverged_at"] = diverged.get(optimizer)
    summary["sdes"] = {}
    for name in sdes:
        rows = gaps[(gaps["process"] == name) & (gaps["quantity"] == LOSS)]
        summary["sdes"][name] = _worst(rows, width) | {"diverged_at": diverged.get(name)}
    return summary


def _worst(rows: Any, width: float) -> dict[str, Any]:
    """Of one SDE's gaps."""
    finite = rows[rows["gap"].map(math.isfinite)]
    if finite.empty or not width > 0:
        return dict.fromkeys(("gap", "share", "share_error", "at", "relative", "z"))
    worst = finite.loc[finite["gap"].abs().idxmax()]
    return {
        "gap": number(worst["gap"]),
        "share": number(abs(worst["gap"]) / width),
        "share_error": number(worst["error"] / width),
        "at": int(worst["step"]),
        "relative": number(finite["relative"].abs().max()),
        "z": number(finite["z"].abs().max()),
    }


def sentence(summary: Mapping[str, Any], optimizer: str, paths: int) -> str:
    """The closing lines: where the optimizer came, and how well each SDE told it."""
    lines = [", ".join([f"{optimizer} on {paths} paths, {summary['steps']} steps", *reached(summary)])]
    for name, found in summary["sdes"].items():
        if found["diverged_at"] is not None:
            lines.append(f"  {name}: diverged at step {found['diverged_at']}")
        elif found["share"] is not None:
            share, error = f"{100 * found['share']:.2g}%", f"{100 * found['share_error']:.1g}%"
            z = f"; largest |z| {found['z']:.2g}" if found["z"] is not None else ""
            lines.append(f"  {name}: mean train loss within {share} ± {error} of its range, at step {found['at']}{z}")
    return "\n".join(lines)
