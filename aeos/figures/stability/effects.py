"""Growth of the max-update under ε, minibatches, gradient noise and weight decay, each on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.stability.readings import fitted, followed, keys, misses, swept, within_bound
from aeos.results.read import Run, flatten

TABLES = ("points", "trajectories")

NAMES = {
    "optimizer.eps": r"$\varepsilon$",
    "batch_size": "batch size",
    "noise": "gradient noise",
    "optimizer.weight_decay": r"weight decay $\lambda$",
}
UNSTABLE = -0.01  # C below which growth counts

Effects = dict[str, list[tuple[float, Run]]]


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """One column an effect: the max-update of the most unstable point along the run; the slopes of all."""
    columns = effects(runs)
    figure = style.new(height=3.0)
    panels = figure.subplots(2, len(columns), sharex="row", sharey="row", squeeze=False)
    for (upper, lower), (name, group) in zip(panels.T, columns.items(), strict=True):
        upper.set_title(NAMES[name])
        for (value, run), look in zip(group, style.sequential(range(len(group))), strict=True):
            _growth(upper, run, look | {"label": _shown(name, value, run)})
            points = fitted(swept([run]))
            lower.plot(points["coefficient"], points["slope"], "o", markersize=2.2, color=look["color"], mew=0)
        _theory(lower, swept([run for _, run in group]), name)
        upper.legend(loc="upper left", fontsize=6.5, labelspacing=0.25, handlelength=1.2, borderaxespad=0.4)
    for panel in panels[0]:
        panel.set(yscale="log", xlabel="step $n$")
        style.steps_axis(panel)
    panels[0, 0].set_ylabel(r"max-update $\|u_n\|_\infty$")
    panels[1, 0].set_ylabel(r"slope of $\log\,\|u_n\|_\infty$")
    style.letters(panels.flat)
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """ε ends growth, at a step that moves with log ε; noise and small batches take it away; weight decay leaves it."""
    columns = effects(runs)
    found = _of_eps(columns.get("optimizer.eps", []))
    for name in ("batch_size", "noise"):
        group = columns.get(name, [])
        for (less, one), (more, other) in pairwise(group):
            text = (
                f"{_plain(name, more, other)}: share of log(γ²/β)/2 realised, no more than at {_plain(name, less, one)}"
            )
            found.append(Claim(text, share(one), share(other), 0.01, "at_most", "derived", set_after=True))
    for value, run in columns.get("optimizer.weight_decay", []):
        error = misses(fitted(swept([run]), high=UNSTABLE), "exact")
        text = f"{_plain('optimizer.weight_decay', value, run)}: mean of |slope/x − 1|, x = log(γ²/β)/2"
        found.append(Claim(text, 0.0, error, 0.02, "at_most", "derived", set_after=True))
    return found + within_bound(swept(runs))


def effects(runs: Sequence[Run]) -> Effects:
    """Setting → (value, run), from the run without that effect to the strongest; runs differ from it in that alone.

    Raises BadInput when there is no such pair of runs.
    """
    settings = [{name: flatten(run.config)[name] for name in NAMES} for run in runs]
    usual = {name: Counter(each[name] for each in settings).most_common(1)[0][0] for name in NAMES}
    found: Effects = {}
    for name in NAMES:
        alone = [
            (_strength(name, each[name], run), run)
            for each, run in zip(settings, runs, strict=True)
            if all(each[other] == usual[other] for other in NAMES if other != name)
        ]
        if len({value for value, _ in alone}) > 1:
            found[name] = sorted(alone, key=lambda pair: -pair[0] if name == "batch_size" else pair[0])
    if not found:
        raise BadInput("these sweeps do not differ in eps, batch_size, noise or weight_decay alone: give more of them")
    return found


def share(run: Run) -> float:
    """Mean of slope/(log(γ²/β)/2) over the points with C < −0.01."""
    points = fitted(swept([run]), high=UNSTABLE)
    return float((points["slope"] / points["exact"]).mean())


def peaks(run: Run) -> pd.Series:
    """At which observed step the max-update was largest, of each point with C < −0.01 under (β, γ, seed)."""
    table, paths = swept([run]), followed([run])
    unstable = keys(table[table["coefficient"] < UNSTABLE])
    return pd.Series({key: paths[key].set_index("step")["max_update"].idxmax() for key in unstable})


def _of_eps(group: Sequence[tuple[float, Run]]) -> list[Claim]:
    """After the peak u falls as γⁿ; ε times 10⁴ puts it off by 2 log(10⁴)/log(1/β) steps, whatever v was before."""
    found = []
    stopped = [(eps, run) for eps, run in group if eps > 0]
    for eps, run in stopped:
        points = fitted(swept([run]), high=UNSTABLE)
        ratio = float((points["slope"] / np.log(points["gamma"])).median())
        text = f"ε = {eps:g}: median of slope/log γ, C < −{-UNSTABLE:g}"
        found.append(Claim(text, 1.0, ratio, 0.2, origin="derived", set_after=True))
    for (small, one), (large, other) in pairwise(stopped):
        later = (peaks(one) - peaks(other)).dropna()
        predicted = [2 * np.log(large / small) / -np.log(beta) for beta, _, _ in later.index]
        text = f"steps by which the peak comes later at ε = {small:g} than at ε = {large:g}, over 2 log(ε/ε')/log(1/β)"
        found.append(
            Claim(f"mean of {text}", 1.0, float((later / predicted).mean()), 0.15, "relative", "derived", True)
        )
    return found


def _strength(name: str, value: Any, run: Run) -> float:
    """The full batch's size is the number of samples."""
    return float(value if value is not None else run.config["data"]["n"])


def _plain(name: str, value: float, run: Run) -> str:
    """For a sentence: batch size 16, noise 1e-06."""
    return f"{name.rpartition('.')[2].replace('_', ' ')} {value:g}"


def _shown(name: str, value: float, run: Run) -> str:
    full = name == "batch_size" and run.config["batch_size"] is None
    if 0 < value < 0.01:
        return f"$10^{{{np.log10(value):.0f}}}$" if np.log10(value) % 1 == 0 else f"{value:g}"
    return f"{value:g}" + " (full)" * full


def _growth(panel: Axes, run: Run, look: dict[str, Any]) -> None:
    (key, *_), paths = keys(swept([run])), followed([run])
    rows = paths[key].query("step > 0")
    panel.plot(rows["step"] - 1, rows["max_update"], **look, linewidth=0.9)


def _theory(panel: Axes, table: pd.DataFrame, name: str) -> None:
    """The exact rate; for ε also log γ, at which u decays once the growth is over."""
    c = table["coefficient"]
    panel.plot(c, np.maximum(table["exact"], 0), **style.THEORY)
    if name == "optimizer.eps":
        panel.plot(c, np.log(table["gamma"]), **style.THEORY | {"linestyle": ":"})
    panel.set_xlabel("$C$")
