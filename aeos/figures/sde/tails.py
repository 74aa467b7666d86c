"""Heavy-tailed noise: SignSGD hovers at a finite level under any of it, SGD has no variance under much of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aeos.errors import BadInput
from aeos.figures import style
from aeos.figures.claims import Claim
from aeos.figures.sde.walks import Setting, averaged, ends, quadratic, series
from aeos.results.read import Run
from aeos.theory import sde

TABLES = ("moments", "averages", "paths")

SIGN, SGD = "signsgd", "gd"
CALLED = {SIGN: "SignSGD", SGD: "SGD"}
GROUPS = 8  # of paths: where there is a mean, theirs agree
SCATTER = 5.0  # largest over smallest of their means, where there is none
REACH = 1e-2, 1e4
LINES: dict[str, Any] = {SGD: "-", SIGN: (0, (1, 1))}
MARKS = {SGD: "o", SIGN: "^"}


class Case(NamedTuple):
    """An optimizer under one noise."""

    name: str
    setting: Setting
    run: Run

    @property
    def exists(self) -> bool:
        """Whether it has a mean loss."""
        return self.name == SIGN or self.setting.nu > 2

    @property
    def called(self) -> str:
        return f"{CALLED[self.name]}, ν={_number(self.setting.nu)}, η={self.setting.lr:g}"

    def level(self, form: str, nu: float | None = None) -> float:
        curvature, _, noise, own, lr = self.setting
        return float(sde.stationary_loss(self.name, curvature, noise, lr, nu=own if nu is None else nu, form=form))

    def ends(self) -> np.ndarray:
        """(coordinates, paths): |x|λ/s, whose law under Cauchy noise is the same for every λ."""
        curvature, noise = self.setting.curvature, self.setting.noise
        return np.array(
            [np.abs(ends(self.run, self.name, f"theta[{i}]")) * lam / noise for i, lam in enumerate(curvature)]
        )

    def groups(self) -> np.ndarray:
        """(GROUPS,): mean losses of so many groups of paths."""
        loss = (self.ends() ** 2 / np.array(self.setting.curvature)[:, None]).sum(0) * self.setting.noise**2 / 2
        return np.array([part.mean() for part in np.array_split(loss, GROUPS)])


def cases(runs: Sequence[Run]) -> list[Case]:
    """The heaviest noise first. Raises BadInput for other optimizers or problems, and where no path is there."""
    found = []
    for run in runs:
        setting = quadratic(run, SIGN, SGD)
        found.append(Case(str(run.config["optimizer"]["name"]), setting, run))
        if not len(ends(run, found[-1].name, "theta[0]")):
            raise BadInput(f"{run.name}: no single paths there; wait for its end, and keep coordinates >= 1")
    return sorted(found, key=lambda case: (case.setting.nu, case.setting.lr))


def swept(found: Sequence[Case], name: str) -> list[Case]:
    """Of this optimizer, those at the learning rate that most of its runs have."""
    own = [case for case in found if case.name == name]
    if not own:
        return []
    lr = Counter(case.setting.lr for case in own).most_common(1)[0][0]
    return [case for case in own if case.setting.lr == lr]


@style.style()
def draw(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Losses of (a) SignSGD and (b) SGD; (c) how far out paths are; (d) means of groups of paths."""
    found = cases(runs)
    kinds = sorted({case.setting.nu for case in found})
    looks = dict(zip(kinds, style.sequential(kinds), strict=True))
    figure = style.new(height=3.3)
    panels = list(figure.subplots(2, 2).flat)
    for panel, name in zip(panels, (SIGN, SGD), strict=False):
        _losses(panel, swept(found, name), looks)
        panel.set_ylabel(rf"$\mathrm{{E}} f/\eta$, {CALLED[name]}")
    panels[1].set_yscale("log")
    _survival(panels[2], found, looks)
    _groups(panels[3], found, kinds, looks)
    style.letters(panels)
    style.legend_below(
        figure,
        [
            *(Line2D([], [], **look, label=rf"$\nu={_tex(nu)}$") for nu, look in looks.items()),
            *(
                Line2D([], [], color="0.3", linestyle=LINES[name], marker=MARKS[name], markersize=2.6, label=called)
                for name, called in CALLED.items()
            ),
            Line2D([], [], **style.THEORY, label="theory"),
        ],
    )
    return figure


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Levels where there are any; SGD's law under Cauchy noise; means of groups, which part where there is no mean."""
    found = cases(runs)
    made = []
    for case in found:
        if case.exists:
            made += _level(case)
        elif case.setting.nu == 1:
            made += _cauchy(case)
    for name in CALLED:
        for case in (case for case in swept(found, name) if case.setting.nu == 1):
            groups = case.groups()
            text = f"{case.called}: largest over smallest mean loss of {GROUPS} groups of paths"
            kind: Any = "at_most" if case.exists else "at_least"
            spread = float(groups.max() / groups.min())
            made.append(Claim(text, 2.0 if case.exists else SCATTER, spread, 0.0, kind, "derived"))
    return made


def _level(case: Case) -> list[Claim]:
    """The time average; where the loss has no variance, ν ≤ 4, its standard error says little."""
    row = averaged(case.run, case.name, "train_loss")
    value, error, text = float(row["mean"]), 4 * float(row["error"]), f"{case.called}: E f in the end, "
    exact, published = case.level("corrected"), case.level("paper")
    if case.name == SGD and case.setting.nu <= 4:
        return [Claim(f"{text}exact; its s.e. has no meaning", exact, value, 0.25, origin="derived", set_after=True)]
    made = [Claim(f"{text}exact; 4 s.e.", exact, value, error, "absolute", "derived")]
    if case.name == SIGN and case.setting.lr * max(case.setting.curvature) / case.setting.noise <= 0.02:
        made.append(Claim(f"{text}closed form; 3 % and 4 s.e.", published, value, 0.03 + error / published))
    return made


def _cauchy(case: Case) -> list[Claim]:
    """|x|λ/s against |Cauchy|: median 1, distribution function (2/π) atan."""
    curvature, _, noise, _, lr = case.setting
    scales = np.asarray(sde.cauchy_scale(curvature, noise, lr)) * np.array(curvature) / noise
    reduced = np.sort((case.ends() / scales[:, None]).ravel())
    n = len(reduced)
    below = 2 / math.pi * np.arctan(reduced)
    apart = float(np.max(np.abs(below - (np.arange(n) + 0.5) / n)) + 0.5 / n)
    text = f"{case.called}: "
    return [
        Claim(
            f"{text}median |x|λ/s; 4 s.e.", 1.0, float(np.median(reduced)), 2 * math.pi / math.sqrt(n), origin="derived"
        ),
        Claim(
            f"{text}largest distance from Cauchy's distribution function, 2.2/√n",
            0.0,
            apart,
            2.2 / math.sqrt(n),
            "at_most",
            "derived",
        ),
    ]


def _losses(panel: Axes, found: Sequence[Case], looks: dict[float, dict[str, Any]]) -> None:
    for case in found:
        rows = series(case.run, case.name, "train_loss")
        panel.plot(rows["t"], rows["mean"] / case.setting.lr, **looks[case.setting.nu], linewidth=0.9)
        if case.exists:
            panel.axhline(case.level("corrected") / case.setting.lr, **style.THEORY)
        panel.set(xlabel="$t$", xlim=(0, rows["t"].max()))
    levels = [case.level("corrected") / case.setting.lr for case in found]
    if found and all(case.exists for case in found):
        panel.set_ylim(0.8 * min(levels), 1.5 * max(levels))


def _survival(panel: Axes, found: Sequence[Case], looks: dict[float, dict[str, Any]]) -> None:
    """All of SGD, and SignSGD under the heaviest noise: each learning rate one line."""
    heaviest = min(case.setting.nu for case in found)
    for case in found:
        if case.name == SIGN and case.setting.nu > heaviest:
            continue
        far = np.sort(case.ends().ravel())
        share = 1 - (np.arange(len(far)) + 0.5) / len(far)
        panel.plot(far, share, **looks[case.setting.nu] | {"linestyle": LINES[case.name], "linewidth": 0.9})
    r = np.geomspace(*REACH, 200)
    panel.plot(r, 1 - 2 / math.pi * np.arctan(r), **style.THEORY)
    panel.set(xscale="log", yscale="log", xlim=REACH, ylim=(3e-5, 1.2))
    panel.set(xlabel=r"$r$", ylabel=r"$\mathrm{P}(|X_i|\lambda_i/s>r)$")


def _groups(panel: Axes, found: Sequence[Case], kinds: Sequence[float], looks: dict[float, dict[str, Any]]) -> None:
    """Over the optimizer's level under Gaussian noise, ν from left to right; SGD's left of SignSGD's."""
    for name, shift in ((SGD, -0.17), (SIGN, 0.17)):
        for case in swept(found, name):
            gauss = case.level("corrected", math.inf)
            at = kinds.index(case.setting.nu) + shift
            colour = looks[case.setting.nu]["color"]
            panel.plot(
                [at] * GROUPS, case.groups() / gauss, MARKS[name], color=colour, markersize=2.6, markeredgewidth=0
            )
            if case.exists:
                level = case.level("corrected") / gauss
                panel.plot([at - 0.14, at + 0.14], [level, level], color="black", linewidth=0.9, zorder=3)
    panel.set_xticks(range(len(kinds)), [f"${_tex(nu)}$" for nu in kinds])
    panel.set(yscale="log", xlabel=r"$\nu$", ylabel="group means of $f$")


def _number(nu: float) -> str:
    return "∞" if math.isinf(nu) else f"{nu:g}"


def _tex(nu: float) -> str:
    return r"\infty" if math.isinf(nu) else f"{nu:g}"
