"""‖W‖² of scale-invariant matrices: true, by the published law, and by the one that knows of momentum."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.labels import labels as names
from aeos.figures.stability.matrices import (
    LAWS,
    Settings,
    about,
    by_matrix,
    called,
    each,
    entry,
    error,
    late,
    measured,
    rms,
    settings,
    share,
    spread,
)
from aeos.results.read import Run
from aeos.theory.scale_invariance import equilibrium_rotation, equilibrium_squared_norm

TABLES = ("scale_invariance",)
LOG_FROM = 10.0  # the ratio of largest to smallest norm from which a logarithmic axis tells more


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """A row a run: every matrix against each law, dashed; then the true over the law's, mean and range of matrices."""
    figure = style.new(height=1.95 * len(runs))
    grid = figure.subplots(len(runs), 3, squeeze=False)
    for (*panels, quotient), (name, run) in zip(grid, called(runs, labels).items(), strict=True):
        rows, of = measured(run), settings(run)
        panels[1].sharey(panels[0])
        for panel, law in zip(panels, LAWS, strict=True):
            _against(panel, rows, law)
        panels[0].set_ylabel(r"$\|W\|^2$")
        _quotients(quotient, rows, of)
        quotient.set_title(name)
    style.letters(grid.flat)
    figure.align_ylabels()
    count = max(measured(run)["matrix"].nunique() for run in runs)
    lines = [Line2D([], [], **look, label=f"true over {law}") for law, look in LAWS.items()]
    laws = Line2D([], [], **style.THEORY, label="law that the panel names")
    style.legend_below(figure, [entry(count, r"$\|W\|^2$"), laws, *lines])
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Of a run that remembers W₀: both laws near; of one that has forgotten it: the published off by (1 + γ)/(1 − γ).

    Of both: what part of what the updates added to the norms each law accounts for.
    """
    found = []
    for name, run in called(runs, names(runs)).items():
        rows, of, text = measured(run), settings(run), about(name)
        found += _late(rows, of, text) if of.forgotten else _early(rows, text)
        for law, expected in (("published", 1 / of.factor), ("corrected", 1.0)):
            says = f"{text}share of the norms' growth that the {law} law has"
            found.append(Claim(says, expected, share(rows, law, of), 0.2, "relative", "derived", set_after=True))
    return found


def _early(rows: pd.DataFrame, text: str) -> list[Claim]:
    """The largest deviations say how far assumptions fail in single matrices; their bounds are records."""
    alike = by_matrix(rows, "published").corrwith(by_matrix(rows, "squared_norm")).min()
    found = []
    for law, mean, largest in (("published", 0.04, 0.2), ("corrected", 0.02, 0.15)):
        off, says = error(rows, law).to_numpy(), f"{text}relative error of ‖W‖², {law} law, "
        found += [
            Claim(f"{says}mean", mean, off.mean(), 0.0, "at_most", "derived", set_after=True),
            Claim(f"{says}largest", largest, off.max(), 0.0, "at_most", "measured", set_after=True),
        ]
    says = f"{text}correlation of the published with the true ‖W‖², smallest"
    return [*found, Claim(says, 0.5, alike, 0.0, "at_least", "measured", set_after=True)]


def _late(rows: pd.DataFrame, of: Settings, text: str) -> list[Claim]:
    """Means are over matrices, and over the last quarter where the norm has come to rest."""
    true, published = (by_matrix(rows, column).iloc[-1].mean() for column in ("squared_norm", "published"))
    norm, update = (late(by_matrix(rows, column)).to_numpy().mean() for column in ("squared_norm", "squared_update"))
    ratio = norm / float(equilibrium_squared_norm(update, of.lr, of.decay))
    off, turned = late(error(rows, "corrected")).to_numpy().mean(), rms(late(by_matrix(rows, "rotation")))
    rest = float(equilibrium_rotation(of.lr, of.decay, of.gamma))
    return [
        Claim(
            f"{text}true over published ‖W‖² at the end", of.factor, true / published, 0.15, "relative", "derived", True
        ),
        Claim(f"{text}relative error of ‖W‖², corrected law, last quarter", 0.06, off, 0.0, "at_most", "derived", True),
        Claim(f"{text}‖W‖²/(η‖u‖²/2λ), last quarter", of.factor, ratio, 0.15, "relative", "derived", True),
        Claim(f"{text}rms rotation a step, last quarter", rest, turned, 0.1, "relative", "derived", True),
    ]


def _against(panel: Axes, rows: pd.DataFrame, law: str) -> None:
    true = by_matrix(rows, "squared_norm")
    each(panel, true)
    panel.plot(by_matrix(rows, law), **style.THEORY | {"linewidth": 0.6})
    panel.set_title(law)
    if true.to_numpy().max() > LOG_FROM * true.to_numpy().min():
        panel.set_yscale("log")
    panel.set_xlabel("step")
    style.steps_axis(panel)


def _quotients(panel: Axes, rows: pd.DataFrame, of: Settings) -> None:
    """With lines at 1 and, where the quotients come near it, at (1 + γ)/(1 − γ)."""
    panel.axhline(1, **style.THEORY)
    for law, look in LAWS.items():
        spread(panel, by_matrix(rows, "squared_norm") / by_matrix(rows, law), **look)
    if of.forgotten:
        panel.axhline(of.factor, **style.THEORY)
        panel.set_yscale("log")
        panel.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
        panel.minorticks_off()
    panel.set_ylabel("true / law")
    panel.set_xlabel("step")
    style.steps_axis(panel)
