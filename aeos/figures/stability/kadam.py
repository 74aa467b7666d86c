"""k-Adam by strategy and k, each at the learning rate that trains it best."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim, Kind
from aeos.results.read import Run
from aeos.theory import kadam, stability
from aeos.theory.scale_invariance import implied_stage

TABLES = ("metrics",)
ADAM = "Adam"
NEAR = 0.05  # how far k = 2 came from Adam at most, naive aside
LARGEST = 10  # k of the paper's study
RATES = (0.9, 0.999)  # β₁, β₂ that the strategies divide

LOOKS = dict(zip(kadam.STRATEGIES, style.categorical(len(kadam.STRATEGIES)), strict=True))


@dataclass(frozen=True)
class Tuned:
    """One net, strategy and k at its best learning rate: one run a seed."""

    runs: tuple[Run, ...]
    inside: bool  # whether that learning rate is neither the lowest nor the highest of those tried

    @property
    def lr(self) -> float:
        return float(self.runs[0].config["optimizer"]["lr"])

    @property
    def losses(self) -> tuple[float, ...]:
        return tuple(float((run.summary or {})["best_test_loss"]) for run in self.runs)

    @property
    def mean(self) -> float:
        return float(np.mean(self.losses))

    @property
    def error(self) -> float:
        """Standard error over seeds; 0 for a single one."""
        n = len(self.losses)
        return float(np.std(self.losses, ddof=1)) / math.sqrt(n) if n > 1 else 0.0


Lines = dict[str, dict[int, Tuned]]  # strategy → k; k = 1, the same in every strategy, is ADAM's


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Best test loss against k, mean and standard error over seeds; below, the learning rates; a column a net."""
    nets = tuned(runs)
    figure = style.new(height=2.7)
    rows = figure.subplots(2, len(nets), squeeze=False, sharex=True, height_ratios=(2, 1))
    for (name, lines), loss, rate in zip(nets.items(), *rows, strict=True):
        _losses(loss, lines)
        _rates(rate, lines)
        loss.set_title(name)
    tried = [one.lr for lines in nets.values() for line in lines.values() for one in line.values()]
    for rate in rows[1]:
        rate.set_ylim(min(tried) / 1.6, max(tried) * 1.6)
    rows[0][0].set_ylabel("best test loss")
    rows[1][0].set_ylabel("learning rate")
    style.letters(rows.flat)
    figure.align_ylabels(rows[:, 0])
    shown = [name for name in LOOKS if any(name in lines for lines in nets.values())]
    entries = [Line2D([], [], **LOOKS[name], marker="o", markersize=2.5, label=name) for name in shown]
    style.legend_below(figure, [*entries, Line2D([], [], **style.THEORY, label="Adam, which is $k=1$")])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """What the stages promise, whether the study is whole, and how k = 2 stands to Adam: no prediction, a record."""
    studied = itertools.product(kadam.STRATEGIES, range(1, LARGEST + 1))
    stages = [pair for strategy, k in studied for pair in kadam.stages(strategy, k, *RATES)]
    smallest = min(float(stability.stability_coefficient(beta2, beta1)) for beta1, beta2 in stages)
    ended = sum(run.finished for run in runs)
    found = [
        Claim(f"smallest C of any stage, k ≤ {LARGEST}, any strategy", 0.0, smallest, 0.0, "at_least", "derived"),
        Claim("runs that came to their end", len(runs), ended, 0.0, "absolute", "derived"),
    ]
    for net, lines in tuned(runs).items():
        if adam := lines.get(ADAM, {}).get(1):
            found += [*_implied(net, adam), *_ratios(net, lines, adam)]
    return found


def _implied(net: str, adam: Tuned) -> list[Claim]:
    """Adam with weight decay on a scale-invariant net is a 2-Adam, once the second stage has forgotten the start."""
    config = adam.runs[0].config
    if not (config["model"] or {}).get("qk_norm") or not config["optimizer"]["weight_decay"]:
        return []
    beta2 = implied_stage(adam.lr, config["optimizer"]["weight_decay"]).beta2
    text = f"{net}: steps that Adam's implied second stage remembers, β₂/(1 − β₂), against those of the run"
    return [Claim(text, config["steps"], float(beta2 / (1 - beta2)), 0.0, "at_most", "derived")]


def _ratios(net: str, lines: Lines, adam: Tuned) -> list[Claim]:
    found = []
    for name in (name for name in LOOKS if 2 in lines.get(name, {})):
        text, ratio = f"{net}, {name}, k = 2: best test loss over Adam's", lines[name][2].mean / adam.mean
        kind: Kind = "at_least" if name == "naive" else "relative"
        found.append(Claim(text, 1.0, ratio, NEAR * (kind == "relative"), kind, "measured", set_after=True))
    return found


def tuned(runs: Sequence[Run]) -> dict[str, Lines]:
    """Of each net: the learning rate with the lowest train loss at the end, mean over seeds, and the test losses there.

    Chosen on the training set, so that the test set has no say in it. Raises BadInput where no run is a finished one
    of k-Adam with a test set.
    """
    tried: dict[tuple[str, str, int], dict[float, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        optimizer = run.config["optimizer"]
        if optimizer["name"] == "kadam" and run.summary and run.summary.get("best_test_loss") is not None:
            strategy = optimizer["strategy"] if optimizer["k"] > 1 else ADAM
            tried[_net(run), strategy, int(optimizer["k"])][float(optimizer["lr"])].append(run)
    if not tried:
        raise BadInput("no finished run of optimizer=kadam with a test loss among these: give such runs")
    found: dict[str, Lines] = {}
    for (name, strategy, k), rates in tried.items():
        found.setdefault(name, {}).setdefault(strategy, {})[k] = _best(rates)
    return found


def _net(run: Run) -> str:
    model = run.config["model"] or run.config["problem"]
    return str(model["name"]) + (", qk-norm" if model.get("qk_norm") else "")


def _best(rates: dict[float, list[Run]]) -> Tuned:
    def trained(lr: float) -> float:
        ends = [(run.summary or {}).get("train_loss") for run in rates[lr]]  # None where the run diverged
        return float(np.mean([math.inf if end is None else end for end in ends]))

    lr = min(rates, key=trained)
    return Tuned(tuple(rates[lr]), inside=min(rates) < lr < max(rates))


def _lines(lines: Lines) -> dict[str, list[tuple[int, Tuned]]]:
    """k and outcome of each strategy that was run, from k = 1 on."""
    adam = lines.get(ADAM, {})
    return {name: sorted((adam | lines[name]).items()) for name in LOOKS if name in lines}


def _losses(panel: Axes, lines: Lines) -> None:
    """Up to three times as far above the lowest mean as half of the means lie; what goes beyond says how far."""
    everything = [one for line in lines.values() for one in line.values()]
    low = min(one.mean for one in everything)
    top = low + 3 * (float(np.median([one.mean for one in everything])) - low)
    for name, points in _lines(lines).items():
        k, mean, error = np.array([(k, one.mean, one.error) for k, one in points]).T
        panel.plot(k, mean, **LOOKS[name], marker="o", markersize=2.5, linewidth=0.9)
        panel.fill_between(k, mean - error, mean + error, color=LOOKS[name]["color"], alpha=0.2, linewidth=0)
        if mean.max() > top > low:
            text, look = f"{name}: up to {mean.max():.3g}", {"color": LOOKS[name]["color"], "fontsize": 6}
            panel.text(1, 1 - 0.09 * len(panel.texts), text, look, transform=panel.transAxes, ha="right", va="top")
    for one in lines.get(ADAM, {}).values():
        panel.axhline(one.mean, **style.THEORY)
    if top > low:
        panel.set_ylim(min(one.mean - one.error for one in everything) - 0.05 * (top - low), top)
    panel.locator_params(axis="y", nbins=4)


def _rates(panel: Axes, lines: Lines) -> None:
    """Hollow where the best learning rate is the lowest or the highest of those tried; side by side, not in piles."""
    names = list(LOOKS)
    for name, points in _lines(lines).items():
        color = LOOKS[name]["color"]
        shift = 0.16 * (names.index(name) - (len(names) - 1) / 2)
        at, rate = [k + shift * (k > 1) for k, _ in points], [one.lr for _, one in points]
        panel.plot(at, rate, **LOOKS[name], linewidth=0.5)
        for (_, one), x, y in zip(points, at, rate, strict=True):
            panel.plot(x, y, "o", color=color, markersize=2.5, markerfacecolor=color if one.inside else "white")
    panel.set_yscale("log")
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.set_xticks(sorted({k for line in lines.values() for k in line}))
    panel.set_xlabel("$k$")
