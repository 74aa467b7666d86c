"""A step of Adam's SDE on 4096 paths against torchsde's Euler, side by side in one process, on one thread.

    python benchmarks/sde.py [2 100] [--rounds 9] [--csv FILE]

Both integrate the SDE of `aeos.dynamics.SdeAdam` on L = ½Σhθ², h = 1, 2, 1, 2, …, with dt = η, from the same state at
the same time, near the minimum: where V changes fast, ours, which moves V first, is another Euler scheme, apart by
more than the noise of so many paths. torchsde's state is (X, M, V) in one tensor. It is offered every form it has for
this noise, with a drift of few temporaries, a constant diffusion made in advance, no gradients, and a BrownianInterval
that knows dt and keeps what it drew:

diagonal  g is (paths, 3d), zero but for M: the only form without matrices; d of the 3d normals count. The headline.
additive  g is (paths, 3d, d), a matrix for each path, all of them views of one.
general   the same, the type not declared.
product   additive, with the product g·dW written by hand: nothing drawn or multiplied that is zero. torchsde's best.

A ratio is torchsde's cost of a step over ours, the median over rounds; lowest and highest stand beside it. Both draw
normals as they do, torchsde in the precision of the state, we in single: in float64 that is part of the ratio. Columns
z are the gap between both sides in standard errors, for mean and variance of the loss and of θ, there the largest over
coordinates.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
from paired import Clock
from torch import Tensor

from aeos.dynamics import Discrete
from aeos.dynamics.sde import Injected, SdeAdam
from aeos.optimizers.rules import Adam
from aeos.problems.analytic import Quadratic

try:
    import torchsde
except ImportError as missing:
    sys.exit(f'{missing.name} is not installed: pip install "aeos[bench]"')

Row = dict[str, Any]
PATHS, S, START, BEGIN = 4096, 0.1, 0.02, 100
LR = 2.0**-10  # times are exact in both precisions: no step more by rounding
STEPS = {2: 64, 100: 16}
REACH = {2: 9.0, 100: 12.0}
FORMS = ("diagonal", "additive", "general", "product")  # without scalar, one Brownian motion for all: another SDE
LARGEST_GAP = 4.0  # standard errors
RULE = Adam(lr=LR)
RATE1, RATE2 = (1 - RULE.beta1) / LR, (1 - RULE.beta2) / LR


class Peer:
    """The SDE as torchsde wants it: y = (X, M, V), (paths, 3d)."""

    sde_type = "ito"

    def __init__(self, spectrum: Tensor, form: str) -> None:
        d = len(spectrum)
        self.spectrum, self.noise_type = spectrum, "additive" if form == "product" else form
        self.channels = 3 * d if form == "diagonal" else d
        self.size = math.sqrt(LR) * RATE1 * S
        if form == "product":
            self.rest = spectrum.new_zeros(PATHS, d)
            self.f_and_g_prod = self.product
        elif form == "diagonal":
            self.diffusion = spectrum.new_zeros(PATHS, 3 * d)
            self.diffusion[:, d : 2 * d] = self.size
        else:
            matrix = torch.zeros(3 * d, d).to(spectrum)
            matrix[d : 2 * d].fill_diagonal_(self.size)
            self.diffusion = matrix.expand(PATHS, -1, -1)
        if form != "product":
            self.f, self.g = self.drift, lambda t, y: self.diffusion

    def drift(self, t: Tensor, y: Tensor) -> Tensor:
        x, m, v = y.chunk(3, -1)
        root1, root2 = -math.expm1(-RATE1 * float(t)), math.sqrt(-math.expm1(-RATE2 * float(t)))
        gradient = self.spectrum * x
        lag = gradient - m
        p = v.sqrt().add_(RULE.eps * root2)
        dx = torch.add(m, lag, alpha=LR * RATE1).div_(p).mul_(-root2 / root1)
        return torch.cat((dx, lag.mul_(RATE1), gradient.square_().add_(S**2).sub_(v).mul_(RATE2)), -1)

    def product(self, t: Tensor, y: Tensor, dw: Tensor) -> tuple[Tensor, Tensor]:
        return self.drift(t, y), torch.cat((self.rest, dw * self.size, self.rest), -1)

    def run(self, start: Tensor, steps: int, turn: int) -> Tensor:
        """X after so many steps."""
        t0, t1 = BEGIN * LR, (BEGIN + steps) * LR
        size, dtype = (PATHS, self.channels), start.dtype
        brownian = torchsde.BrownianInterval(t0, t1, size, dtype, entropy=turn + 2, dt=LR, cache_size=None)
        with torch.no_grad():
            y = torchsde.sdeint(self, start, torch.tensor([t0, t1], dtype=dtype), brownian, method="euler", dt=LR)
        return y[-1, :, : len(self.spectrum)]


def ours(sde: SdeAdam, start: Tensor, steps: int) -> Tensor:
    state = sde.init(start)
    state.step = BEGIN
    for _ in range(steps):
        sde.advance(state)
    return state.theta


def moments(values: Tensor) -> Tensor:
    """Mean and variance over paths (axis 0), and their standard errors: (4, …)."""
    mean, variance = values.mean(0), values.var(0)
    fourth = (values - mean).pow(4).mean(0)
    return torch.stack((mean, variance, (variance / PATHS).sqrt(), ((fourth - variance**2) / PATHS).sqrt()))


def gaps(problem: Quadratic, theta: Tensor, other: Tensor) -> dict[str, float]:
    """z of mean and variance of the loss and of θ, the largest over coordinates."""
    found = {}
    for name, of in (("loss", problem.loss), ("theta", lambda theta: theta)):
        a, b = moments(of(theta)), moments(of(other))
        z = (a[:2] - b[:2]).abs() / (a[2:].square() + b[2:].square()).sqrt()
        found |= {f"z_mean_{name}": z[0].max().item(), f"z_variance_{name}": z[1].max().item()}
    return found


def compare(d: int, dtype: torch.dtype, clock: Clock) -> list[Row]:
    problem, steps = Quadratic([1.0, 2.0] * (d // 2), (START,), dtype=dtype), STEPS[d]
    theta = problem.init(0).expand(PATHS, -1)
    m = problem.gradient(theta)
    v = (m.square() + S**2) * -math.expm1(-RATE2 * BEGIN * LR)
    sde = SdeAdam(Discrete(problem, RULE, memory={"m": m, "v": v}), Injected(problem, S))
    start, unit = torch.cat((theta, m, v), -1), partial(ours, sde, theta, steps)
    sides: dict[str, Callable[[int], Tensor]] = {
        form: partial(Peer(problem.spectrum, form).run, start, steps) for form in FORMS
    }
    found, own, rows = clock.paired(sides, unit, warm=True), unit().double(), list[Row]()
    for form, side in found.items():
        if side.complaint:
            sys.exit(f"torchsde, {form}: {side.complaint}")
        other = side.results[-1].double()
        rows.append(
            {"d": d, "dtype": str(dtype).removeprefix("torch."), "form": form, "ratio": median(side.costs)}
            | {"lowest": min(side.costs), "highest": max(side.costs)}
            | gaps(problem, own, other)
        )
        for name, end in (("aeos", own), (form, other)) if form == FORMS[0] else ():
            loss, first = moments(problem.loss(end)).tolist(), moments(end[:, 0]).tolist()
            print(f"{name:9} loss: {told(loss)};  θ₁: {told(first)}", file=sys.stderr)
    return rows


def told(found: list[float]) -> str:
    mean, variance, mean_error, variance_error = found
    return f"mean {mean:.5g} ± {mean_error:.1g}, variance {variance:.4g} ± {variance_error:.1g}"


def verdict(row: Row, wanted: float) -> str:
    equal = max(value for key, value in row.items() if key.startswith("z_")) <= LARGEST_GAP
    return (
        f"d = {row['d']}, {row['dtype']}, {row['form']}: {row['ratio']:.1f}x of {wanted:g}x wanted, "
        f"{'reached' if row['ratio'] >= wanted else 'missed'}; statistics {'equal' if equal else 'DIFFER'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dimensions", nargs="*", type=int, help="2, 100")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--csv", help="write the table here as well")
    wanted = parser.parse_args()
    if unknown := set(wanted.dimensions) - set(STEPS):
        parser.error(f"no case d = {unknown.pop()}: choose from 2, 100")
    torch.set_num_threads(1)
    clock, rows = Clock(wanted.rounds, threads=1), list[Row]()
    for d in wanted.dimensions or STEPS:
        for dtype in (torch.float64, torch.float32):
            rows += compare(d, dtype, clock)
    for file in [sys.stdout, *([open(wanted.csv, "w")] if wanted.csv else [])]:  # noqa: SIM115
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.2f}" if isinstance(value, float) else value for key, value in row.items()} for row in rows
        )
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, 1 in use", file=sys.stderr)
    print("reach:", *(verdict(row, REACH[row["d"]]) for row in rows), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
