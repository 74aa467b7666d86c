"""How far an optimizer and its models came, and how far apart they are, in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aeos.jobs.train import sentence
from aeos.results.summary import number

CALLED = {"train_loss": "train loss", "squared_gradient": "squared gradient", "variance": "variance"}


def distances(file: Path, reference: str) -> dict[str, dict[str, float | None]]:
    """For each model the relative distance from `reference` at its end, its mean and its largest; null is no number."""
    import pandas as pd

    rows = pd.read_csv(file)
    groups = rows[rows["reference"] == reference].groupby("process", sort=False)["relative"]
    return {
        str(name): {
            key: number(value)
            for key, value in {"end": found.iloc[-1], "mean": found.mean(), "largest": found.max()}.items()
        }
        for name, found in groups
    }


def told(summary: dict[str, Any], optimizer: str) -> str:
    """The closing lines: how far the optimizer came, how far from it, or from its midpoint, each model is in the end,
    what it predicted.
    """
    processes = summary["processes"]
    about = {
        name: f"{100 * end:.2g}%" if (end := shares["end"]) is not None else "not a number"
        for name, shares in summary["relative"].items()
    }
    about |= {
        name: f"diverged at step {entry['diverged_at']}"
        for name, entry in processes.items()
        if name in about and entry["diverged_at"] is not None
    }
    own = processes[optimizer]
    line = sentence(own | {"status": "finished" if own["diverged_at"] is None else "diverged"})
    parts = ", ".join(f"{name} {text}" for name, text in about.items())
    lines = [line, f"rms distance from {summary['reference']}, as a share of how far it came: {parts}"]
    for name, means in summary["averages"].items():
        found = [
            f"{CALLED[key]} {mean['predicted']:.4g}, measured {mean['measured']:.4g}"
            for key, mean in means.items()
            if key in CALLED and None not in mean.values()
        ]
        lines.append(f"mean predicted by {name}: {'; '.join(found)}")
    return "\n".join(lines)
