"""A few more steps: the oscillation along the top eigenvector grows, the loss rises, the sharpness falls back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.oscillation import gate, oscillation, rises
from aeos.figures.edge.readings import step_axis
from aeos.figures.labels import one
from aeos.results.read import Run

TABLES = ("self_stabilization",)

MARGIN = 10  # steps shown before the oscillation is seen and after the sharpness has turned
SEEN = 0.05  # of its peak: from where on an oscillation is seen on a linear axis
SMALL = 0.2  # of its peak: up to where its growth is that of the quadratic

DOTS: dict[str, Any] = {"marker": "o", "markersize": 1.8, "linewidth": 0.7}
FAINT: dict[str, Any] = {"marker": "o", "markersize": 1.8, "linewidth": 0, "alpha": 0.25, "markeredgewidth": 0}
COSINE, RATIO = r"$\cos(D, \nabla S)$", r"$\langle D, \nabla S\rangle\,/\,\frac{1}{2}x^2\|\nabla S\|^2$"
SECOND: dict[str, Any] = {"color": style.COLOURS[1], "linewidth": 0.9}


@dataclass(frozen=True)
class Window:
    """Step by step from before an oscillation is seen until the sharpness, fallen below its threshold, turns up again.

    The rows of `oscillation`; peak: the place among them where |x| is largest; kept: the step whose u is that of
    `projection`.
    """

    rows: pd.DataFrame
    peak: int
    kept: int

    def __getitem__(self, column: str) -> np.ndarray:
        return self.rows[column].to_numpy(dtype=float)

    @property
    def growing(self) -> slice:
        """From the beginning to the last place at which |x| is small."""
        size = np.abs(self["x"])
        return slice(0, int(np.flatnonzero(size >= SMALL * size.max())[0]))

    @property
    def rate(self) -> np.ndarray:
        """log|1 − ηS| a step, as on a quadratic: log(1 + ηy)."""
        return np.log(np.abs(1 - 2 * self["level"]))


def window(run: Run) -> Window:
    """The first such window of the run. Raises BadInput for steps left out and for a run without one."""
    rows = oscillation(run)
    level, size = rows["level"].to_numpy(), rows["x"].abs().to_numpy()
    begin = next(iter(rises(level)), len(level))
    below = begin + np.flatnonzero(level[begin:] < 1)
    turned = below[:-1][level[below[:-1] + 1] > level[below[:-1]]] if len(below) else below
    if not len(turned):
        raise BadInput(f"{run.name}: the sharpness does not rise above its threshold and fall back; take more steps")
    peak = begin + int(size[begin : turned[0]].argmax())
    seen = begin + int(np.flatnonzero(size[begin:] >= SEEN * size[peak])[0])
    start = max(begin, seen - MARGIN)
    kept = int(rows["step"][rows["projection"].first_valid_index()])
    return Window(rows[start : turned[0] + MARGIN + 1].reset_index(drop=True), peak - start, kept)


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Four panels over the window; grey where the sharpness is above its threshold. Raises BadInput as `window` does.

    In the last one a step stands out where the model can be seen at work: see `oscillation.gate`.
    """
    seen = window(one(runs))
    figure = style.new(height=3.4)
    panels = list(figure.subplots(2, 2, sharex=True).flat)
    loss, sharp, x, alignment = panels
    step, colour = seen["step"], style.COLOURS[0]
    loss.plot(step, seen["train_loss"], color=colour, **DOTS, label="iterates")
    loss.plot(step, seen["midpoint_loss"], **SECOND, label="midpoints")
    sharp.plot(step, seen["sharpness"], color=colour, **DOTS, label=r"$\lambda_1$")
    sharp.plot(step, seen["second_sharpness"], **SECOND, label=r"$\lambda_2$")
    sharp.plot(step, seen["threshold"], **style.THEORY, label="threshold")
    x.plot(step, seen["projection"], color=colour, **DOTS, label=f"along $u$ of step {seen.kept}")
    x.plot(step, seen["x"], **SECOND | {"linewidth": 0.6}, label="along $u$ of each step")
    x.axhline(0, **style.THEORY | {"linewidth": 0.5})
    _alignment(alignment, seen)
    for panel, name in zip(panels, ("train loss", "sharpness", "oscillation $x$", "alignment"), strict=True):
        _above(panel, seen)
        panel.set_ylabel(name)
        panel.legend(loc="best", borderaxespad=0.5)
    for panel in (x, alignment):
        step_axis(panel)
    figure.align_ylabels()
    style.letters(panels)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """x has period 2 and grows as on the quadratic; the loss peaks; S falls; the averaged gradient has ½x²∇S in it."""
    seen = window(one(runs))
    grow, model = seen.growing, gate(seen.rows)
    size = np.log(np.abs(seen["x"][grow]))
    slope = float((size[-1] - size[0]) / (len(size) - 1))
    flips = float(np.mean(seen["x"][grow][1:] * seen["x"][grow][:-1] < 0))
    after = seen["sharpness"][seen.peak : seen.peak + 11]
    cosine = float(np.min(seen["cosine"][model], initial=np.inf))
    off = float(np.max(np.abs(seen["ratio"][model] - 1), initial=-np.inf))
    about = f"on the {model.sum()} steps all but along u: "
    return [
        Claim("fraction of steps on which x changes its sign while it grows", 1.0, flips, 0.0, "absolute", "derived"),
        Claim("log|x| grows per step by", float(np.mean(seen.rate[grow][:-1])), slope, 0.1, "relative", "derived"),
        Claim("largest loss over that before and after", 1.05, _prominence(seen), 0.0, "at_least", "measured", True),
        Claim(
            "least sharpness of the 10 steps after |x| is largest over that at it", 0.95,
            float(after.min() / after[0]), 0.0, "at_most", "measured", set_after=True,
        ),
        Claim(f"{about}least cos(D, ∇S)", 0.95, cosine, 0.0, "at_least", "derived"),
        Claim(f"{about}largest |⟨D, ∇S⟩/(½x²‖∇S‖²) − 1|", 0.1, off, 0.0, "at_most", "derived"),
    ]  # fmt: skip


def _prominence(seen: Window) -> float:
    """The largest loss up to 10 steps after the peak of x, over the larger of that at the beginning and 10 later."""
    loss = seen["train_loss"]
    top = int(loss[: seen.peak + 11].argmax())
    return float(loss[top] / max(loss[0], loss[min(top + 10, len(loss) - 1)]))


def _alignment(panel: Axes, seen: Window) -> None:
    """cos(D, ∇S) and ⟨D, ∇S⟩ over what the cubic model makes of it."""
    here = gate(seen.rows)
    for column, name, colour in (("cosine", COSINE, 0), ("ratio", RATIO, 1)):
        look = {"color": style.COLOURS[colour]}
        panel.plot(seen["step"], seen[column], **FAINT | look)
        panel.plot(seen["step"], np.where(here, seen[column], np.nan), **DOTS | look, label=name)
    panel.axhline(1, **style.THEORY | {"linewidth": 0.5})
    panel.set_ylim(0, 1.5)


def _above(panel: Axes, seen: Window) -> None:
    """Grey where the sharpness is above its threshold."""
    where, across = seen["level"] >= 1, panel.get_xaxis_transform()
    panel.fill_between(seen["step"], 0, 1, where=where, step="mid", transform=across, color="0.92", lw=0)
