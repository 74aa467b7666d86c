"""SignSGD under learning rates that decay as (1 + t)^(−p): whether its loss goes with them, or stalls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.sde.walks import Setting, quadratic, series
from aeos.results.read import Run
from aeos.theory import sde

TABLES = ("moments",)

OPTIMIZER, SDE = "signsgd", "new"
CALLED = {OPTIMIZER: "SignSGD", SDE: "SDE"}
EARLY = 10.0  # t at which a loss that stalls is first looked at; the last one comes second
LATE = 0.5  # ratios are averaged over the last half of the time
LEVEL: dict[str, Any] = {"color": "0.45", "linestyle": "-", "linewidth": 0.7, "zorder": 1.5}


class Decay(NamedTuple):
    """A run with η_t = (1 + t)^(−p): its setting, and its losses by process."""

    p: float
    setting: Setting
    rows: dict[str, pd.DataFrame]

    def level(self, t: np.ndarray) -> np.ndarray:
        """Σᵢ η_t·ησ√(π/2)/4: what every mode's loss follows, whatever its λ; the bound has L_τ/μ for their number d."""
        curvature, _, noise, nu, lr = self.setting
        how: Any = {"strong_convexity": 1.0, "noise": noise, "lr": lr, "nu": nu}
        return np.asarray(sde.scheduled_level(t, self.p, trace=float(len(curvature)), **how))

    def linear(self, t: np.ndarray) -> np.ndarray:
        """E f of the linear SDE."""
        curvature, start, noise, nu, lr = self.setting
        seconds = [
            sde.scheduled_moments(t, x, lam, noise, lr, self.p, nu)[1] for x, lam in zip(start, curvature, strict=True)
        ]
        return np.asarray(sum(lam * second / 2 for lam, second in zip(curvature, seconds, strict=True)))

    @property
    def bound(self) -> float:
        """The published bound over the level: L_τ/(μd)."""
        return sum(self.setting.curvature) / min(self.setting.curvature) / len(self.setting.curvature)

    def ratio(self, process: str) -> tuple[np.ndarray, np.ndarray]:
        """t > 0, and E f over its level there."""
        rows = self.rows[process].iloc[1:]
        t = rows["t"].to_numpy()
        return t, rows["mean"].to_numpy() / self.level(t)


def decays(runs: Sequence[Run]) -> list[Decay]:
    """By their p. Raises BadInput where a run is not one of SignSGD on a quadratic with schedule=power, rate=lr."""
    found = []
    for run in runs:
        setting, schedule = quadratic(run, OPTIMIZER), run.config["schedule"]
        if schedule["name"] != "power" or not np.isclose(schedule["rate"], setting.lr):
            raise BadInput(f"{run.name}: this figure needs schedule=power with schedule.rate=optimizer.lr")
        rows = {name: series(run, name, "train_loss") for name in CALLED}
        found.append(Decay(float(schedule["p"]), setting, rows))
    return sorted(found, key=lambda decay: decay.p)


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """(a) Losses, and (b) losses over their level, against time."""
    found = decays(runs)
    figure = style.new(height=1.9)
    panels = list(figure.subplots(1, 2))
    looks = style.categorical(len(found))
    for decay, look in zip(found, looks, strict=True):
        _losses(panels[0], decay, look)
        _ratios(panels[1], decay, look)
    panels[0].set(xscale="log", yscale="log", xlabel="$t$", ylabel=r"$\mathrm{E} f$")
    panels[1].axhline(1, **LEVEL)
    panels[1].axhline(found[0].bound, color="0.45", linestyle=(0, (1, 1)), linewidth=0.9, zorder=1.5)
    panels[1].set(xscale="log", yscale="log", xlabel="$t$", ylabel=r"$\mathrm{E} f$ / level")
    style.letters(panels)
    style.legend_below(
        figure,
        [
            *(Line2D([], [], **look, label=f"$p={decay.p:g}$") for decay, look in zip(found, looks, strict=True)),
            Line2D([], [], color="0.3", marker="o", markersize=2.4, linestyle="", label="SignSGD"),
            Line2D([], [], color="0.3", marker="x", markersize=3, linestyle="", label="its SDE"),
            Line2D([], [], **style.THEORY, label="linear SDE, exact"),
            Line2D([], [], **LEVEL, label=r"level, $\propto(1+t)^{-p}$"),
            Line2D([], [], color="0.45", linestyle=(0, (1, 1)), linewidth=0.9, label="published bound"),
        ],
    )
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Where the condition holds, the loss comes to follow the learning rate; where it does not, it stalls."""
    return [claim for decay in decays(runs) for name in CALLED for claim in _claims(decay, name)]


def _claims(decay: Decay, process: str) -> list[Claim]:
    t, ratio = decay.ratio(process)
    text = f"p={decay.p:g}, {CALLED[process]}: E f over its level, "
    expected = decay.linear(t) / decay.level(t)
    if not sde.scheduler_condition(decay.p):
        made = []
        for at in sorted({min(EARLY, t[-1]), t[-1]}):
            place = int(np.argmin(np.abs(t - at)))
            row = decay.rows[process].iloc[place + 1]
            error = 4 * float(row["error"] / row["mean"])
            about = f"{text}t = {at:g}, which the linear SDE says; 4 s.e."
            made.append(Claim(about, float(expected[place]), float(ratio[place]), error, origin="derived"))
        return made
    late = t >= LATE * t[-1]
    about = f"{text}mean over t = {t[late][0]:g} … {t[-1]:g}"
    return [Claim(about, 1.0, float(ratio[late].mean()), 0.03)]


def _losses(panel: Axes, decay: Decay, look: dict[str, Any]) -> None:
    _points(panel, decay, look, ratio=False)
    t = _times(decay)
    panel.plot(t, decay.level(t), **LEVEL)
    panel.plot(t, decay.linear(t), **style.THEORY)


def _ratios(panel: Axes, decay: Decay, look: dict[str, Any]) -> None:
    _points(panel, decay, look, ratio=True)
    t = _times(decay)
    panel.plot(t, decay.linear(t) / decay.level(t), **style.THEORY)


def _points(panel: Axes, decay: Decay, look: dict[str, Any], ratio: bool) -> None:
    """Evenly on the logarithmic axis, the SDE's between the optimizer's."""
    for number, (process, mark, size) in enumerate(((OPTIMIZER, "o", 2.4), (SDE, "x", 3.0))):
        t, ratios = decay.ratio(process)
        even = np.geomspace(t[0], t[-1], 33)[number::2]
        place = np.unique([int(np.argmin(np.abs(t - one))) for one in even])
        values = ratios if ratio else ratios * decay.level(t)
        panel.plot(t[place], values[place], mark, color=look["color"], markersize=size, markeredgewidth=0.7)


def _times(decay: Decay) -> np.ndarray:
    t = decay.rows[OPTIMIZER]["t"].to_numpy()
    return np.geomspace(t[1] / 2, t[-1], 80)
