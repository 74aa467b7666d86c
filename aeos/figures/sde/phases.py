"""SignSGD and its SDE through their three phases: where the mean goes, at what speed, and how the spread grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.special import erf, erfc

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.sde.walks import Setting, exact, quadratic, series
from aeos.results.read import Run
from aeos.theory import sde

TABLES = ("moments",)

OPTIMIZER, SDE = "signsgd", "new"
CALLED = {OPTIMIZER: "SignSGD", SDE: "the SDE"}
LINEAR = 0.3  # |Y| from which phase 3 is compared: the published one, |Y| = 1, is too large for its linear drift
REAL: dict[str, Any] = {"linewidth": 2.4, "alpha": 0.45, "solid_capstyle": "round"}
ODE: dict[str, Any] = {"color": "black", "linestyle": (0, (1, 1)), "linewidth": 0.9, "zorder": 3}
BAND: dict[str, Any] = {"facecolor": "0.55", "alpha": 0.6, "linewidth": 0}
MIDDLE: dict[str, Any] = {"facecolor": "0.93", "linewidth": 0, "zorder": 0}


class Mode(NamedTuple):
    """Coordinate i: its rows of moments.csv by process, and |Y|, the signal of its mean, for each of them."""

    i: int
    setting: Setting
    rows: dict[str, pd.DataFrame]
    signal: dict[str, np.ndarray]

    @property
    def scale(self) -> float:
        """Y = scale·x."""
        return self.setting.curvature[self.i] / (self.setting.noise * math.sqrt(2))

    def ode(self, t: np.ndarray) -> np.ndarray:
        """Phase 1: x₀ − sign(x₀)t, up to the minimum."""
        start = self.setting.start[self.i]
        return math.copysign(1.0, start) * np.maximum(abs(start) - t, 0.0)

    def linear(self, process: str = OPTIMIZER) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """t, mean and variance of the linear SDE from where the process, spread as it is, comes below |Y| = LINEAR.

        Empty where it does not.
        """
        below = self.signal[process] < LINEAR
        rows = self.rows[process].iloc[int(np.argmax(below)) :]
        t, first = rows["t"].to_numpy(), rows.iloc[0]
        if not below.any():
            return t[:0], t[:0], t[:0]
        how = self.setting.curvature[self.i], self.setting.noise, self.setting.lr
        mean, _ = sde.signsgd_moments(t - t[0], first["mean"], *how)
        _, second = sde.signsgd_moments(t - t[0], math.hypot(first["mean"], math.sqrt(first["variance"])), *how)
        return t, np.asarray(mean), np.asarray(second - mean**2)


def modes(run: Run) -> list[Mode]:
    """One a coordinate. Raises BadInput where the run is not one of SignSGD on a quadratic, or has no rows yet."""
    setting = quadratic(run, OPTIMIZER)
    found = []
    for i, curvature in enumerate(setting.curvature):
        rows = {name: series(run, name, f"theta[{i}]") for name in (OPTIMIZER, SDE)}
        scale = curvature / (setting.noise * math.sqrt(2))
        signal = {name: np.abs(scale * part["mean"].to_numpy()) for name, part in rows.items()}
        found.append(Mode(i, setting, rows, signal))
    return found


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """(a) Signals of the means; (b) how fast the means fall, against the signal; (c) variances, over η."""
    found = modes(runs[0])
    figure = style.new(height=1.9)
    panels = list(figure.subplots(1, 3, width_ratios=(1.1, 1.1, 0.9)))
    looks = style.categorical(len(found))
    _signals(panels[0], found, looks)
    _drifts(panels[1], found, looks)
    _variances(panels[2], found, looks)
    style.letters(panels)
    names = [rf"$\lambda={mode.setting.curvature[mode.i]:g}$" for mode in found]
    style.legend_below(
        figure,
        [
            *(Line2D([], [], color=look["color"], label=name) for look, name in zip(looks, names, strict=True)),
            Line2D([], [], color="0.3", **REAL, marker="o", markersize=2.6, fillstyle="none", label="SignSGD"),
            Line2D([], [], color="0.3", linewidth=0.9, marker="x", markersize=2.6, label="its SDE"),
            Line2D([], [], **ODE, label="phase 1: ODE"),
            Patch(**BAND, label="phase 2: band"),
            Line2D([], [], **style.THEORY, label="phase 3: linear SDE"),
        ],
    )
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Each phase's model over that phase, where there is one; and the SDE beside the optimizer's exact law."""
    found = []
    for mode in modes(runs[0]):
        text = f"λ={mode.setting.curvature[mode.i]:g}, "
        found += [*_phase1(mode, text), *_phase2(mode, text), *_phase3(mode, text), _law(mode, text)]
    return found


def _phase1(mode: Mode, text: str) -> list[Claim]:
    bound = float(erfc(1.5))
    found = []
    for name in (OPTIMIZER, SDE):
        rows = mode.rows[name][(mode.signal[name] > 1.5) & (mode.rows[name]["t"] > 0)]
        if rows.empty:
            continue
        apart = float(np.max(np.abs(rows["mean"] - mode.ode(rows["t"].to_numpy())) / rows["t"]))
        says = f"{text}|Y| > 3/2: largest |E X − ODE|/t of {CALLED[name]}"
        found.append(Claim(says, bound, apart, 0.0, "at_most", "derived"))
    return found


def _phase2(mode: Mode, text: str) -> list[Claim]:
    """Predicted: the middle of the band; the tolerance is half its width and four standard errors."""
    inside = (mode.signal[SDE] <= 1.5) & (mode.signal[SDE] >= 1)
    rows, y = mode.rows[SDE][inside], mode.signal[SDE][inside]
    if len(rows) < 2:
        return []
    spent = rows["t"].iloc[-1] - rows["t"].iloc[0]
    speed = abs(rows["mean"].iloc[0] - rows["mean"].iloc[-1]) / spent
    low, high = sorted(float(np.mean(edge[1:] + edge[:-1])) / 2 for edge in map(np.abs, sde.phase2_band(y)))
    paths = float(rows["variance"].iloc[0] / rows["error"].iloc[0] ** 2)
    error = math.sqrt(mode.setting.lr * (1 - low**2) / spent / paths)
    text += "1 < |Y| < 3/2: mean speed of the SDE, in the band of phase 2 up to 4 s.e."
    return [Claim(text, (low + high) / 2, speed, (high - low) / 2 + 4 * error, "absolute", "derived")]


def _phase3(mode: Mode, text: str) -> list[Claim]:
    _, predicted, _ = mode.linear(SDE)
    if not len(predicted):
        return []
    means = mode.rows[SDE]["mean"].to_numpy()[-len(predicted) :]
    apart = float(np.max(np.abs(means - predicted))) / abs(predicted[0])
    text += f"from |Y| = {LINEAR:g}: largest |E X − linear SDE|, over E X there, of the SDE"
    return [Claim(text, 0.02, apart, 0.0, "at_most", "derived")]


def _law(mode: Mode, text: str) -> Claim:
    """The SDE's weak error is O(η)."""
    rows, lr = mode.rows[SDE], mode.setting.lr
    mean, _ = exact(mode.setting, mode.i, rows["step"].to_numpy())
    apart = float(np.max(np.abs(rows["mean"] - mean))) / lr
    error = float(rows["error"].max()) / lr
    text += "largest |E X_SDE − E X|/η at any time, E X from the optimizer's exact law; 4 s.e."
    return Claim(text, 1.0, apart, 4 * error, "at_most", "derived", set_after=True)


def _signals(panel: Axes, found: Sequence[Mode], looks: Sequence[dict[str, Any]]) -> None:
    panel.axhspan(1, 1.5, **MIDDLE)
    last = 0.0
    for mode, look in zip(found, looks, strict=True):
        t = mode.rows[SDE]["t"].to_numpy()
        seen = mode.signal[SDE] > 0.02  # below it, noise of the mean
        end = int(np.argmin(seen)) if not seen.all() else len(t)
        last = max(last, t[end - 1])
        for name, line in ((OPTIMIZER, REAL), (SDE, {"linewidth": 0.9})):
            panel.plot(t[:end], mode.signal[name][:end], color=look["color"], **line)
        ode = mode.scale * np.abs(mode.ode(t))
        panel.plot(t[ode > 0.02], ode[ode > 0.02], **ODE)
        later, moved, _ = mode.linear()
        panel.plot(later, mode.scale * np.abs(moved), **style.THEORY)
    panel.set(yscale="log", xlim=(0, last), ylim=(0.02, None), xlabel="$t$", ylabel=r"$|Y|$ of $\mathrm{E}\,X_i$")


def _drifts(panel: Axes, found: Sequence[Mode], looks: Sequence[dict[str, Any]]) -> None:
    """The whole of it, and phase 2 enlarged."""
    closer = panel.inset_axes((0.5, 0.17, 0.48, 0.4))
    y = np.linspace(0, 2.2, 441)
    inside = (y >= 1) & (y <= 1.5)
    panel.axvspan(1, 1.5, **MIDDLE)
    for axes in (panel, closer):
        low, high = sde.phase2_band(y[inside])
        axes.fill_between(y[inside], -low, -high, **BAND)
        axes.plot(y, erf(y), color="0.4", linewidth=0.6)
    panel.plot(y[y > 1.5], -np.asarray(sde.phase1_drift(y[y > 1.5])), **ODE)
    panel.plot(y[y < 1], 2 / math.sqrt(math.pi) * y[y < 1], **style.THEORY)
    for mode, look in zip(found, looks, strict=True):
        for name, mark in ((OPTIMIZER, "o"), (SDE, "x")):
            signal, rows = mode.signal[name][::2], mode.rows[name][::2]
            speed = np.abs(np.diff(rows["mean"]) / np.diff(rows["t"]))
            middle = (signal[1:] + signal[:-1]) / 2
            seen = (middle < 2.2) & (middle > 0.1)
            how = {"color": look["color"], "markersize": 2.6, "markeredgewidth": 0.7, "fillstyle": "none"}
            for axes in (panel, closer):
                axes.plot(middle[seen], speed[seen], mark, **how)
    closer.set(xlim=(1, 1.5), ylim=(0.82, 0.99), xticks=(1, 1.5), yticks=(0.85, 0.95))
    closer.tick_params(labelsize=6)
    panel.set(xlim=(0, 2.2), ylim=(0, None), xlabel=r"$|Y|$", ylabel=r"$|\mathrm{d}\,\mathrm{E}\,X_i/\mathrm{d}t|$")


def _variances(panel: Axes, found: Sequence[Mode], looks: Sequence[dict[str, Any]]) -> None:
    for mode, look in zip(found, looks, strict=True):
        lr = mode.setting.lr
        for name, line in ((OPTIMIZER, REAL), (SDE, {"linewidth": 0.9})):
            panel.plot(mode.rows[name]["t"], mode.rows[name]["variance"] / lr, color=look["color"], **line)
        t, _, variance = mode.linear()
        panel.plot(t, variance / lr, **style.THEORY)
    panel.set(xlabel="$t$", xlim=(0, 1.2), ylim=(0, None), ylabel=r"$\mathrm{Var}\,X_i/\eta$")
