"""Moments of SignSGD near a minimum, over time and in the end, beside the published ones and the exact ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.sde.walks import Setting, averaged, exact, quadratic, series
from aeos.results.read import Run
from aeos.theory import sde

TABLES = ("moments", "averages")

OPTIMIZER, SDE = "signsgd", "new"
CALLED = {OPTIMIZER: "SignSGD", SDE: "SDE"}
EARLY = 0.5  # t up to which moments over time are shown
CLOSE = 0.02  # ηλ/s up to which the published level is held to 3 %
WITHIN = 0.3  # |Y₀| below which the linear SDE is held to what it says of moments over time
MARKS: dict[str, dict[str, Any]] = {
    OPTIMIZER: {"marker": "o", "markersize": 2.4, "linestyle": ""},
    SDE: {"marker": "x", "markersize": 3.0, "markeredgewidth": 0.7, "linestyle": ""},
}
FULL: dict[str, Any] = {"color": "0.45", "linestyle": (0, (1, 1)), "linewidth": 1.0}
EXACT: dict[str, Any] = {"color": "0.45", "linestyle": "-", "linewidth": 0.8}


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """(a) Means and (b) variances over time; (c) the stationary variance over the published one, by λ."""
    setting = quadratic(runs[0], OPTIMIZER)
    figure = style.new(height=1.9)
    panels = list(figure.subplots(1, 3))
    looks = style.sequential(setting.curvature)
    for i, look in enumerate(looks):
        _over_time(panels[:2], runs[0], setting, i, look)
    panels[0].set(yscale="log", ylim=(2e-4, 0.025), ylabel=r"$\mathrm{E}\,X_i$")
    panels[1].set(ylim=(0, None), ylabel=r"$\mathrm{Var}\,X_i/\eta$")
    for panel in panels[:2]:
        panel.set(xlabel="$t$", xlim=(0, EARLY))
    _stationary(panels[2], runs[0], setting, looks)
    style.letters(panels)
    grey: dict[str, Any] = {"color": "0.3"}
    style.legend_below(
        figure,
        [
            *(Line2D([], [], **k, label=rf"$\lambda={c:g}$") for k, c in zip(looks, setting.curvature, strict=True)),
            *(Line2D([], [], **grey, **MARKS[name], label=CALLED[name]) for name in CALLED),
            Line2D([], [], **style.THEORY, label="closed form (linear SDE)"),
            Line2D([], [], **FULL, label="full SDE, exact"),
            Line2D([], [], **EXACT, label="SignSGD, exact"),
        ],
    )
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The level, published and exact; and the moments over time where the start is close enough to the minimum."""
    setting = quadratic(runs[0], OPTIMIZER)
    made = []
    for i in range(len(setting.curvature)):
        made += [*_levels(runs[0], setting, i), *_transient(setting, i)]
    return made


def _levels(run: Run, setting: Setting, i: int) -> list[Claim]:
    """Against the process's own exact one, where Euler–Maruyama at dt = η/n adds aη/(2n), a = ℓλ/s, to that of the SDE;
    and, where the paper's setting is, against the published one.
    """
    lam, made = setting.curvature[i], []
    published, own = _published(setting, lam), _exact(setting, lam)
    step = sde.initial_slope() * lam / setting.noise * setting.lr / (2 * run.config["substeps"])
    for name, slack, says in ((OPTIMIZER, 0.0, "4 s.e."), (SDE, step, "aη/2n and 4 s.e.")):
        row = averaged(run, name, f"theta[{i}]^2")
        value, error = float(row["mean"]), 4 * float(row["error"])
        text = f"λ={lam:g}: E X² of {CALLED[name]} in the end, "
        if setting.lr * lam / setting.noise <= CLOSE:
            made.append(Claim(f"{text}closed form; 3 % and 4 s.e.", published, value, 0.03 + error / published))
        made.append(Claim(f"{text}exact; {says}", own[name], value, slack + error / own[name], origin="derived"))
    return made


def _transient(setting: Setting, i: int) -> list[Claim]:
    """Noise-free: the closed forms beside the optimizer's exact law."""
    lam, start = setting.curvature[i], setting.start[i]
    if lam * abs(start) / setting.noise > WITHIN * np.sqrt(2):
        return []
    steps = np.arange(20, round(3 / setting.lr), 20)
    mean, second = exact(setting, i, steps)
    linear, square = sde.signsgd_moments(steps * setting.lr, start, lam, setting.noise, setting.lr)
    off = float(np.max(np.abs(mean - linear))) / abs(start)
    wide = float(np.max(np.abs((second - mean**2) / (square - linear**2) - 1)))
    text = f"λ={lam:g}, exact law beside the closed form: largest "
    return [
        Claim(f"{text}|E X − mean|/x₀", 0.007, off, 0.0, "at_most", "measured", set_after=True),
        Claim(f"{text}|Var X/variance − 1|", 0.033, wide, 0.0, "at_most", "measured", set_after=True),
    ]


def _published(setting: Setting, lam: Any) -> Any:
    return sde.stationary_variance(OPTIMIZER, lam, setting.noise, setting.lr)


def _exact(setting: Setting, lam: Any) -> dict[str, Any]:
    """Of the optimizer, and of the SDE without linearisation."""
    how = lam, setting.noise, setting.lr
    return {
        OPTIMIZER: sde.stationary_variance(OPTIMIZER, *how, form="corrected"),
        SDE: sde.fokker_planck_variance(*how),
    }


def _over_time(panels: Sequence[Axes], run: Run, setting: Setting, i: int, look: dict[str, Any]) -> None:
    """Mean and variance/η of one coordinate; the mean as long as it stands out of its noise."""
    lr, lam, start = setting.lr, setting.curvature[i], setting.start[i]
    for name, mark in MARKS.items():
        rows = series(run, name, f"theta[{i}]").iloc[1 + 2 * (name == SDE) :: 4]
        seen = rows["mean"] > 4 * rows["error"]
        panels[0].plot(rows["t"][seen], rows["mean"][seen], color=look["color"], **mark)
        panels[1].plot(rows["t"], rows["variance"] / lr, color=look["color"], **mark)
    steps = np.arange(round(EARLY / lr) + 1)
    mean, second = exact(setting, i, steps[::5])
    linear, square = sde.signsgd_moments(steps * lr, start, lam, setting.noise, lr)
    for panel, own, published in zip(
        panels, (mean, (second - mean**2) / lr), (linear, (square - linear**2) / lr), strict=True
    ):
        panel.plot(steps[::5] * lr, own, **EXACT)
        panel.plot(steps * lr, published, **style.THEORY)


def _stationary(panel: Axes, run: Run, setting: Setting, looks: Sequence[dict[str, Any]]) -> None:
    shown = np.geomspace(min(setting.curvature) / 1.3, max(setting.curvature) * 1.3, 40)
    published, own = _published(setting, shown), _exact(setting, shown)
    panel.axhline(1, **style.THEORY)
    panel.plot(shown, own[OPTIMIZER] / published, **EXACT)
    panel.plot(shown, own[SDE] / published, **FULL)
    for i, (lam, look) in enumerate(zip(setting.curvature, looks, strict=True)):
        level = _published(setting, lam)
        for name, mark in MARKS.items():
            row = averaged(run, name, f"theta[{i}]^2")
            at = lam * (0.97 if name == OPTIMIZER else 1.03)
            how = mark | {"color": look["color"], "elinewidth": 0.6}
            panel.errorbar(at, row["mean"] / level, 2 * row["error"] / level, **how)
    panel.set(xscale="log", xlabel=r"$\lambda$", ylabel=r"$\mathrm{E}\,X_\infty^2$ / closed form")
    panel.set_xticks(setting.curvature, [f"{lam:g}" for lam in setting.curvature])
    panel.minorticks_off()
