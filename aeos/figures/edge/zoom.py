"""A few more steps: the oscillation along the top eigenvector grows, the loss rises, the sharpness falls back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.edge.lines import plain
from aeos.figures.edge.readings import measured, standing, step_axis
from aeos.results.read import Run
from aeos.theory.edge import RATE

TABLES = ("metrics", "sharpness", "eigenvalues")

MARGIN = 10  # steps shown before the oscillation is seen and after the sharpness has turned
SEEN = 0.05  # of its peak: from where on an oscillation is seen on a linear axis
SMALL = 0.2  # of its peak: up to where its growth is that of the quadratic


@dataclass(frozen=True)
class Window:
    """Step by step from before an oscillation is seen until the sharpness, fallen below its threshold, turns up again.

    x: displacement along the top eigenvector. ratio = λ₁/threshold. peak: the place in the window where |x| is largest.
    """

    step: np.ndarray
    loss: np.ndarray
    sharpness: np.ndarray
    threshold: np.ndarray
    ratio: np.ndarray
    x: np.ndarray
    peak: int

    @property
    def growing(self) -> slice:
        """From the beginning to the last place at which |x| is small."""
        return slice(0, int(np.flatnonzero(np.abs(self.x) >= SMALL * np.abs(self.x).max())[0]))

    @property
    def rate(self) -> np.ndarray:
        """log|1 − 2λ₁/threshold| a step: x' = (1 − ηλ₁)x on a quadratic, where the threshold is 2/η."""
        return np.log(np.abs(1 - 2 * self.ratio))


def window(run: Run) -> Window:
    """The first such window of the run, found in its tables.

    Raises BadInput for an optimizer with momentum, for steps left out and for a run without a window.
    """
    if RATE[str(run.config["optimizer"]["name"])]:
        raise BadInput(f"{run.name}: with momentum the oscillation has no single rate; give a run without")
    table = measured(run).merge(run.table("metrics")[["step", "train_loss"]], on="step", suffixes=("_measured", ""))
    if len(table) < 2 or (np.diff(table["step"]) != 1).any():
        raise BadInput(f"{run.name}: steps are left out; measure each with every=1")
    ratio, size = table["ratio"].to_numpy(), np.abs(table["displacement"].to_numpy(dtype=float))
    first = standing(run).first
    begin = len(ratio) if first is None else int(np.flatnonzero(table["step"] == first)[0])
    below = begin + np.flatnonzero(ratio[begin:] < 1)
    turned = below[:-1][ratio[below[:-1] + 1] > ratio[below[:-1]]] if len(below) else below
    if not len(turned):
        raise BadInput(f"{run.name}: the sharpness does not rise above its threshold and fall back; take more steps")
    peak = begin + int(size[begin : turned[0]].argmax())
    seen = begin + int(np.flatnonzero(size[begin:] >= SEEN * size[peak])[0])
    start = max(begin, seen - MARGIN)
    rows = table[start : turned[0] + MARGIN + 1]
    columns = ("step", "train_loss", "preconditioned_sharpness", "threshold", "ratio", "displacement")
    step, loss, sharpness, threshold, ratio, x = (rows[column].to_numpy(dtype=float) for column in columns)
    return Window(step, loss, sharpness, threshold, ratio, x, peak - start)


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Four panels over the window; grey where the sharpness is above its threshold. Raises BadInput as `window` does.

    Further eigenvalues are shown where they were measured: where two of them cross, x goes over to another direction.
    """
    seen = window(_one(runs))
    figure = style.new(height=3.4)
    panels = figure.subplots(2, 2, sharex=True).flat
    loss, sharp, x, size = panels
    colour, dots = style.COLOURS[0], {"marker": "o", "markersize": 1.8, "linewidth": 0.7}
    for panel, column in ((loss, seen.loss), (sharp, seen.sharpness), (x, seen.x), (size, np.abs(seen.x))):
        panel.plot(seen.step, column, color=colour, **dots)
        panel.fill_between(
            seen.step,
            0,
            1,
            where=seen.ratio >= 1,
            step="mid",
            transform=panel.get_xaxis_transform(),
            color="0.92",
            lw=0,
        )
        step_axis(panel)
    sharp.lines[0].set_label(r"$\lambda_1$")
    _others(sharp, runs[0], seen)
    sharp.plot(seen.step, seen.threshold, **style.THEORY, label="threshold")
    sharp.legend(loc="upper right", borderaxespad=0.5)
    x.axhline(0, **style.THEORY | {"linewidth": 0.5})
    size.set_yscale("log")
    _predicted(size, seen)
    size.legend(loc="lower right", borderaxespad=0.5)
    loss.set_ylabel("train loss")
    sharp.set_ylabel("sharpness" if plain(runs[0]) else "preconditioned sharpness")
    x.set_ylabel("displacement $x$")
    size.set_ylabel("$|x|$")
    for panel in (loss, sharp):
        panel.set_xlabel("")
    figure.align_ylabels()
    style.letters((loss, sharp, x, size))
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The oscillation has period 2 and grows as on the quadratic; the loss peaks; the sharpness falls."""
    seen = window(_one(runs))
    grow = seen.growing
    size = np.log(np.abs(seen.x[grow]))
    slope = float((size[-1] - size[0]) / (len(size) - 1))
    flips = float(np.mean(seen.x[grow][1:] * seen.x[grow][:-1] < 0))
    after = seen.sharpness[seen.peak : seen.peak + 11]
    return [
        Claim("fraction of steps on which x changes its sign while it grows", 1.0, flips, 0.0, "absolute", "derived"),
        Claim("log|x| grows per step by", float(np.mean(seen.rate[grow][:-1])), slope, 0.1, "relative", "derived"),
        Claim("largest loss over that before and after", 1.05, _prominence(seen), 0.0, "at_least", "measured", True),
        Claim(
            "least sharpness of the 10 steps after |x| is largest over that at it", 0.95,
            float(after.min() / after[0]), 0.0, "at_most", "measured", set_after=True,
        ),
    ]  # fmt: skip


def _prominence(seen: Window) -> float:
    """The largest loss up to 10 steps after the peak of x, over the larger of that at the beginning and 10 later."""
    top = int(seen.loss[: seen.peak + 11].argmax())
    return float(seen.loss[top] / max(seen.loss[0], seen.loss[min(top + 10, len(seen.loss) - 1)]))


def _others(panel: Axes, run: Run, seen: Window) -> None:
    """The second and further eigenvalues of the operator whose largest is the sharpness."""
    table = run.table("eigenvalues")
    own = table["operator"] == ("hessian" if plain(run) else "preconditioned")
    rows = table[own & table["step"].between(seen.step[0], seen.step[-1])]
    for index in range(2, rows["index"].max() + 1):
        one, look = rows[rows["index"] == index], style.COLOURS[(index - 1) % len(style.COLOURS)]
        panel.plot(one["step"], one["value"], color=look, linewidth=0.9, label=rf"$\lambda_{index}$")


def _predicted(panel: Axes, seen: Window) -> None:
    """|x| as the quadratic continues it from the beginning, to the peak."""
    log = np.log(np.abs(seen.x[0])) + np.concatenate([[0], np.cumsum(seen.rate[: seen.peak])])
    panel.plot(seen.step[: seen.peak + 1], np.exp(log), **style.THEORY, label="quadratic model")


def _one(runs: Sequence[Run]) -> Run:
    if len(runs) > 1:
        raise BadInput(f"{len(runs)} runs: a few steps of one run are shown at a time; give one")
    return runs[0]
