"""Cross-entropy: the sharpness stays at the edge while there are labels left to fit, and vanishes with the loss."""

from __future__ import annotations

from collections.abc import Sequence

from aeos.figures.claims import Claim, Kind
from aeos.figures.edge import ratios
from aeos.figures.edge.readings import measured, standing
from aeos.figures.labels import labels as names
from aeos.results.read import Run
from aeos.theory.verdict import NEARLY_ZERO

TABLES = ratios.TABLES
draw = ratios.draw

HOVERS = 0.3  # above 1: cross-entropy hovers higher than squared error


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Noisy labels reach the edge, clean ones do not; who has fitted them all has left it, the others are there."""
    found = []
    for run, name in zip(runs, names(runs), strict=True):
        kind: Kind = "at_least" if run.config["data"]["label_noise"] > 0 else "at_most"
        text = f"{name}: largest sharpness/threshold"
        found.append(Claim(text, 1.0, standing(run).largest, 0.0, kind, "measured", set_after=True))
        found += _fitted(run, name) if measured(run)["train_loss"].iloc[-1] < NEARLY_ZERO["ce"] else _hovers(run, name)
    return found


def _fitted(run: Run, name: str) -> list[Claim]:
    ratio = measured(run)["ratio"]
    text = f"{name}, all labels fitted: last sharpness/threshold over the largest"
    return [Claim(text, 0.5, float(ratio.iloc[-1] / ratio.max()), 0.0, "at_most", "derived", set_after=True)]


def _hovers(run: Run, name: str) -> list[Claim]:
    median, text = standing(run).median, f"{name}: median of sharpness/threshold"
    return [
        Claim(text, 1.0, median, 0.05, "at_least", "published", set_after=True),
        Claim(text, 1.0, median, HOVERS, "at_most", "published", set_after=True),
    ]
