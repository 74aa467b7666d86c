"""What a sweep found, in a few numbers read off its own table."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from aeos.jobs.sweep.points import Point, read_rows
from aeos.theory import stability

FAR = 0.01  # |C| from which on a point counts: nearer to the boundary the rates themselves are as small as their errors


def summarize(folder: Path, wanted: Collection[Point]) -> dict[str, Any]:
    """status; how many points, how many diverged; growth against theory; the largest max-update over its bound; losses.

    growth_error_<form>: mean of |slope − rate|/rate over the points where the form's own coefficient is below −FAR, the
    rate being log(γ²/β)/2 (discrete) or |C|/2 (continuous). stable_slope: the largest |slope| where C > FAR. Losses are
    medians. Null where there is none.
    """
    rows = [row for row in read_rows(folder / "points.csv") if Point.of(row) in wanted]

    def column(name: str) -> np.ndarray:
        return np.array([math.nan if row[name] is None else float(row[name]) for row in rows])

    c, slope = column("coefficient"), column("slope")
    unstable, stable = (c < -FAR) & np.isfinite(slope), (c > FAR) & np.isfinite(slope)
    found: dict[str, Any] = {
        "status": "finished",
        "points": len(rows),
        "diverged": sum(row["status"] == "diverged" for row in rows),
        "wall_time": round(float(column("wall_time").sum()), 3),
        "unstable_points": int(unstable.sum()),
        "stable_slope": _of(np.max, np.abs(slope[stable])),
        "bound_ratio": _of(np.max, column("bound_ratio")),
    }
    for form, coefficient in (("discrete", column("discrete_coefficient")), ("continuous", c)):
        growing = (coefficient < -FAR) & np.isfinite(slope)
        rates = stability.growth_rate(column("beta")[growing], column("gamma")[growing], form)
        found[f"growth_error_{form}"] = _of(np.mean, np.abs(slope[growing] - rates) / rates)
    return found | {name: _of(np.median, column(name)) for name in ("train_loss", "test_loss", "best_test_loss")}


def _of(number: Any, values: np.ndarray) -> float | None:
    """That number of the finite values; None for JSON, which has no NaN, where there are none."""
    finite = values[np.isfinite(values)]
    return float(number(finite)) if len(finite) else None


def sentence(summary: dict[str, Any]) -> str:
    """The closing lines: how many points, what they did, and at which loss."""
    lines = [f"{summary['points']} points of {summary['steps']} steps, {summary['diverged']} diverged"]
    if summary["growth_error_discrete"] is not None:
        lines.append(
            f"C < −{FAR}, {summary['unstable_points']} points: the max-update grows at log(γ²/β)/2 within "
            f"{summary['growth_error_discrete']:.1%}, at |C|/2 within {summary['growth_error_continuous']:.1%} (mean)"
        )
    if summary["stable_slope"] is not None:
        lines.append(f"C > {FAR}: the slope of log max-update is at most {summary['stable_slope']:.2g} in size")
    if summary["bound_ratio"] is not None:
        lines.append(f"largest max-update over its bound {summary['bound_ratio']:.6g}")
    losses = [
        f"{name.replace('_', ' ')} {summary[name]:.3g}"
        for name in ("train_loss", "best_test_loss")
        if summary[name] is not None
    ]
    return "\n  ".join([*lines, *(["median " + ", ".join(losses)] if losses else [])])
