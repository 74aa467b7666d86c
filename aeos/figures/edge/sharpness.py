"""The edge of stability along any runs: train loss, sharpness, and how near its threshold; runs overlaid."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.curves import overlay
from aeos.results.read import Run

TABLES = ("sharpness",)

PANELS = {"train_loss": "train loss", "sharpness": "sharpness", "ratio": "sharpness / threshold"}
EDGE = "edge of stability"


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Curves with one label share a colour and a legend entry. Raises BadInput when no run has a row yet."""
    figure, panels = overlay(runs, labels, "sharpness", PANELS, [Line2D([], [], **style.THEORY, label=EDGE)])
    if "ratio" in panels:
        panels["ratio"].axhline(1, **style.THEORY)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """None: runs of any settings need not be at the edge."""
    return []
