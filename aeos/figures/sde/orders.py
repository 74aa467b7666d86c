"""The weak order of SDEs, without Monte Carlo: errors of expectations against the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.results.read import Run
from aeos.theory import sde

TABLES: tuple[str, ...] = ()

LRS = 0.1 / 2.0 ** np.arange(7)
TESTS = {"x^2": "x²", r"\cos 2x": "cos 2x", "x^4": "x⁴"}
TAILS: dict[float, tuple[Any, str]] = {math.inf: ("-", "Gaussian"), 1.0: ((0, (5, 1.2, 1, 1.2)), "Cauchy")}
ADAM_LRS = 0.04 / 2.0 ** np.arange(7)
DOTS: dict[str, Any] = {"marker": "o", "markersize": 2.2, "linewidth": 0.9}
SQUARES = DOTS | {"marker": "s"}
RHO1, CURVATURE, NOISE = 10.0, 1.0, 0.1
ADAM: dict[str, tuple[str, float, str]] = {  # process: what it is called in the figure, its order, and in claims
    "new": ("Adam, as printed", 1.0, "as printed"),
    "lagged": (r"Adam, no $\eta\rho_1$ term", 2.0, "without ηρ₁(∇f − M)"),
    "noisy": ("Adam, its noise too", 1.0, "with the noise of that term, too"),
}


def phi(x: np.ndarray) -> np.ndarray:
    """(sites,) → (sites, 3): TESTS."""
    return np.stack([x**2, np.cos(2 * x), x**4], axis=-1)


@cache
def errors(substeps: int | None, nu: float) -> np.ndarray:
    """(LRS, TESTS): |E φ(x_N) − E φ(X_T)| of SignSGD on x²/2, of its SDE or of Euler–Maruyama on it."""
    return np.abs(sde.weak_errors(phi, LRS, substeps=substeps, nu=nu))


def adam_errors(process: str) -> np.ndarray:
    """(ADAM_LRS,): |1 − Var X_∞/Var x_∞|, of Adam's SDE and Adam, ρ₁ = (1 − β₁)/η and P = s fixed."""
    beta1 = 1 - RHO1 * ADAM_LRS
    own = sde.adam_variance(CURVATURE, NOISE, ADAM_LRS, beta1=beta1)
    return np.abs(1 - sde.adam_variance(CURVATURE, NOISE, ADAM_LRS, beta1=beta1, process=process) / own)


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """(a) SignSGD's SDE and (b) Euler–Maruyama at dt = η; (c) Adam's SDE, by the variance it ends with."""
    figure = style.new(height=1.9)
    panels = list(figure.subplots(1, 3))
    looks = style.categorical(len(TESTS) + len(ADAM))
    for panel, substeps, order in ((panels[0], None, 1.0), (panels[1], 1, 2.0)):
        curves = {nu: errors(substeps, nu) for nu in TAILS}
        for nu, found in curves.items():
            for error, look in zip(found.T, looks, strict=False):
                panel.plot(LRS, error, **look | {"linestyle": TAILS[nu][0]}, **DOTS)
        _slope(panel, LRS, np.concatenate([*curves.values()], axis=1), order)
        panel.set_ylabel(r"$|\mathrm{E}\,\varphi(x_N)-\mathrm{E}\,\varphi(X_T)|$")
    for (process, (_, order, _)), look in zip(ADAM.items(), looks[len(TESTS) :], strict=True):
        panels[2].plot(ADAM_LRS, adam_errors(process), **look, **SQUARES)
        if process != "new":
            _slope(panels[2], ADAM_LRS, adam_errors(process)[:, None], order)
    panels[2].set_ylabel("relative error of the variance")
    for panel in panels:
        panel.set(xscale="log", yscale="log", xlabel=r"$\eta$")
        panel.xaxis.set_minor_formatter(NullFormatter())
    style.letters(panels)
    style.legend_below(figure, _entries(looks))
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The slope between the two smallest learning rates: errors that change their sign on the way have none before."""
    made = []
    models: list[tuple[int | None, float, str, Any]] = [
        (None, 1.0, "SDE", "published"),
        (1, 2.0, "Euler–Maruyama at dt = η", "derived"),
    ]
    for nu, (_, noise) in TAILS.items():
        for substeps, order, model, origin in models:
            slopes = sde.observed_order(errors(substeps, nu), LRS)[-1]
            for name, slope in zip(TESTS.values(), slopes, strict=True):
                text = f"SignSGD, {noise} noise, {model}: order in E {name}"
                made.append(Claim(text, order, float(slope), 0.1, "absolute", origin))
    for process, (_, order, called) in ADAM.items():
        slope = float(sde.observed_order(adam_errors(process), ADAM_LRS)[-1])
        made.append(Claim(f"Adam's SDE {called}: order in Var X_∞", order, slope, 0.1, "absolute", "derived"))
    return made


def _slope(panel: Axes, lrs: np.ndarray, curves: np.ndarray, order: float) -> None:
    """A line of this slope that ends under the lowest of the curves (lrs, curves)."""
    panel.plot(lrs, curves[-1].min() / 1.6 * (lrs / lrs[-1]) ** order, **style.THEORY)


def _entries(looks: Sequence[dict[str, Any]]) -> list[Line2D]:
    first, second = looks[: len(TESTS)], looks[len(TESTS) :]
    return [
        *(Line2D([], [], **look, **DOTS, label=rf"$\varphi={text}$") for look, text in zip(first, TESTS, strict=True)),
        *(Line2D([], [], color="0.3", linestyle=dash, label=f"{text} noise") for dash, text in TAILS.values()),
        Line2D([], [], **style.THEORY, label="slopes 1 and 2"),
        *(
            Line2D([], [], **look, **SQUARES, label=text)
            for look, (text, *_) in zip(second, ADAM.values(), strict=True)
        ),
    ]
