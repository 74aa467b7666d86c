"""What a sweep found, in a few numbers read off its own table."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from aeos.jobs.sweep.points import Point
from aeos.theory import stability

FAR = 0.01  # |C| from which on a point counts: nearer to the boundary the rates themselves are as small as their errors


def summarize(folder: Path, wanted: Collection[Point]) -> dict[str, Any]:
    """status; how many points, how many diverged; growth against theory; the largest max-update over its bound; losses.

    growth_error: mean over points with C < −FAR of |slope − rate|/rate, for the discrete rate log(γ²/β)/2 and for the
    continuous one |C|/2. stable_slope: the largest |slope| where C > FAR. Null where there is no such point.
    """
    import pandas as pd

    table = pd.read_csv(folder / "points.csv", float_precision="round_trip")
    asked = table.apply(lambda row: Point.of(row) in wanted, axis=1)
    table = table[asked]
    unstable = table[(table["coefficient"] < -FAR) & table["slope"].notna()]
    stable = table[(table["coefficient"] > FAR) & table["slope"].notna()]
    found: dict[str, Any] = {
        "status": "finished",
        "points": len(table),
        "diverged": int((table["status"] == "diverged").sum()),
        "wall_time": round(float(table["wall_time"].sum()), 3),
        "stable_slope": _number(stable["slope"].abs().max()),
        "bound_ratio": _number(table["bound_ratio"].max()),
        "unstable_points": len(unstable),
    }
    for form in ("discrete", "continuous"):
        rates = stability.growth_rate(unstable["beta"].to_numpy(), unstable["gamma"].to_numpy(), form)
        errors = (unstable["slope"] - rates).abs() / rates
        found[f"growth_error_{form}"] = _number(errors.mean())
    for name in ("train_loss", "test_loss", "best_test_loss"):
        found[name] = _number(table[name].median())
    return found


def _number(value: Any) -> float | None:
    """For JSON, which has no NaN."""
    return float(value) if math.isfinite(value) else None


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
        f"{name.replace('_', ' ')} {summary[name]:.3g}" for name in ("train_loss", "best_test_loss") if summary[name]
    ]
    return "\n  ".join([*lines, "median " + ", ".join(losses)])
