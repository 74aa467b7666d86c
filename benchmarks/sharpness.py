"""Products with the Hessian, its largest eigenvalue λ₁, and λ₁ followed along training, against other libraries.

    python benchmarks/sharpness.py [mlp crowded cnn resnet] [--parts hvp cold track] [--csv FILE]

Full batch, ½·squared error. In one process all methods see the same θ, one after another in alternating order, each
between two timings of the unit it is divided by; a cost is the median over rounds, lowest and highest stand beside it.

hvp    one product on a graph that is kept; `graph`: what keeping it adds to a gradient. Unit: a full-batch gradient.
cold   λ₁ from a random start, building the graph included, at the start and at the edge of stability. Same unit.
       error: the largest over rounds, relative to eigsh in float64.
track  gradient descent at the edge with λ₁ at every step, or at every fifth. Unit: the same steps without λ₁. Ours
       starts cold at one measurement in 100; that share of a cold start is added. Others: a cold λ₁ a measurement, as
       above; eigsh on our products from the last eigenvector. error: the largest over the measurements checked.

Then the reach, as ratios within rounds. The hard case is `crowded`: the MLP later, several eigenvalues at the edge.
Other networks: `--set data.n=500 model.width=32`.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from statistics import median
from typing import Any

import hydra
import torch
from paired import Clock, line
from sharpness_peers import (
    COLD,
    PRODUCTS,
    TOL,
    Measure,
    Net,
    random,
    reference,
    restarting,
    resumed,
    tracking,
)
from sharpness_reach import HARD, Key, Reach, reached
from threadpoolctl import threadpool_limits
from torch import Tensor

from aeos import schema
from aeos.curvature import Hessian, SharpnessTracker, lanczos
from aeos.paths import conf_dir
from aeos.problems.build import build_problem

Row = dict[str, Any]
COLUMNS = {"net": 8, "part": 7, "at": 12, "method": 31, "cost": -8, "lowest": -8, "highest": -8, "products": -9}
COLUMNS |= {"error": -9, "note": 0}
MNIST = ("data=mnist5k", "data.test=1", "problem.criterion=mse")


@dataclass(frozen=True)
class Case:
    """Overrides; the step size; the step at which λ₁ comes to 2/lr with it; how many steps to follow, and to check."""

    overrides: Sequence[str]
    lr: float
    edge: int
    window: int
    checked: int


MLP = (*MNIST, "model=mlp", "model.width=64", "data.n=1000")
CASES = {
    "mlp": Case(MLP, 0.16, 150, 60, 60),
    "crowded": Case(MLP, 0.16, 300, 60, 20),  # later, several eigenvalues at the edge, the iterates swinging
    "cnn": Case((*MNIST, "model=cnn", "model.activation=gelu", "model.pool=avg", "data.n=100"), 0.1, 120, 40, 8),
    "resnet": Case((*MNIST, "model=resnet", "model.activation=tanh", "data.n=64"), 0.02, 66, 25, 5),
}


class Bench:
    """One network under the clock: `rows` for the table, `costs` and `notes` by part, point and method."""

    def __init__(self, name: str, clock: Clock, settings: Sequence[str]) -> None:
        self.name, self.case, self.clock = name, CASES[name], clock
        both = [[*self.case.overrides, *settings, f"dtype={dtype}"] for dtype in ("float32", "float64")]
        single, self.double = (build_problem(hydra.compose("train", overrides)) for overrides in both)
        self.net = Net(single)
        self.path = [single.init(0)]
        self.rows: list[Row] = []
        self.costs: dict[Key, list[float]] = {}
        self.notes: dict[Key, str] = {}

    def row(self, part: str, at: str, method: str, costs: Sequence[float] = (), **others: Any) -> None:
        row = {"net": self.name, "part": part, "at": at, "method": method, **others}
        self.notes[part, at, method] = others.get("note", "")
        if costs:
            self.costs[part, at, method] = list(costs)
            row |= {"cost": median(costs), "lowest": min(costs), "highest": max(costs)}
        self.rows.append(row)
        print(line(row, COLUMNS, ".2f", error=".1e"), flush=True)

    def theta(self, step: int) -> Tensor:
        """θ after so many steps of gradient descent."""
        while len(self.path) <= step:
            self.path.append(self.descend(self.path[-1], 1)[0])
        return self.path[step]

    def descend(self, theta: Tensor, steps: int, measure: Measure | None = None, every: int = 1) -> tuple[Tensor, list]:
        """θ after so many more steps, and (θ, λ₁, products) of each measurement on the way."""
        taken = []
        for step in range(steps):
            if measure and step % every == 0:
                hessian = Hessian(self.net.problem.pieces(theta))
                taken.append((theta, *measure(hessian, theta)))
                gradient = hessian.gradient
            else:
                _, gradient = self.net.problem.value_and_gradient(theta)
            theta = theta - self.case.lr * gradient
        return theta, taken

    def hvp(self) -> None:
        if self.name == HARD:  # at the start it is the MLP
            return
        net, v = self.net.at(self.theta(0)), random(self.net, 1)
        made = cache(lambda method: PRODUCTS[method](net))
        sides = {method: partial(lambda method, turn: made(method)(v), method) for method in PRODUCTS}
        sides["graph"] = lambda turn: net.hessian()
        found = self.clock.paired(sides, net.gradient, net.repeats, net.repeats, warm=True)
        self.row("hvp", "start", "aeos: graph", [cost - 1 for cost in found.pop("graph").costs])
        for method, side in found.items():
            self.row("hvp", "start", method, side.costs, note=side.complaint)

    def cold(self) -> None:
        points = {"edge": self.case.edge} if self.name == HARD else {"start": 0, "edge": self.case.edge}
        for at, step in points.items():
            net = self.net.at(self.theta(step))
            true, _ = reference(self.double, net.theta)
            sides = {method: partial(solve, net) for method, solve in COLD.items()}
            for method, side in self.clock.paired(sides, net.gradient, net.repeats).items():
                others = {"note": side.complaint}
                if side.costs:
                    values, products = zip(*side.results, strict=True)
                    error = max(abs(value / true - 1) for value in values)
                    others = {"error": error, "note": f"misses {TOL:g}" if error > TOL else ""}
                    others |= {"products": median(products)} if products[0] else {}
                self.row("cold", at, method, side.costs, **others)

    def track(self) -> None:
        begin, window, few = self.theta(self.case.edge), self.case.window, 5
        top = lanczos(self.net.at(begin).hessian(), begin, 4, tol=1e-4).values * self.case.lr / 2
        self.row("track", "edge", "λ₁ … λ₄ over 2/lr", note=" ".join(f"{value:.3f}" for value in top))
        starts = {every: self.approach(every) for every in (1, 5)}
        vector = reference(self.net.problem, begin)[1]
        sides: dict[str, Callable[[int], Any]] = {
            "cold": lambda turn: SharpnessTracker(tol=TOL).measure(self.net.hessian(), begin),
            "every step": lambda turn: self.descend(begin, window, resumed(starts[1]))[1],
            "every 5": lambda turn: self.descend(begin, window, resumed(starts[5]), 5)[1],
            "eigsh": lambda turn: self.descend(begin, few, restarting(vector))[1],
        }
        found = self.clock.paired(sides, lambda: self.descend(begin, window))
        for at, every in (("every step", 1), ("every 5", 5)):
            pairs = zip(found[at].costs, found["cold"].costs, strict=True)
            costs = [cost + cold * window / (100 * every) for cost, cold in pairs]
            self.row("track", at, "aeos", costs, **self.judged(found[at].results[0]))
            if every == 1:
                costs = [cost * window / few for cost in found["eigsh"].costs]
                self.row("track", at, "our products + warm eigsh", costs, **self.judged(found["eigsh"].results[0]))
            for method in COLD:
                if method != "aeos" and (cold := self.costs.get(("cold", "edge", method))):
                    self.row("track", at, method, [1 + cost / every for cost in cold])

    def approach(self, every: int) -> dict[str, Any]:
        """The state of a tracker that comes to the edge with ten measurements behind it."""
        tracker, steps = SharpnessTracker(tol=TOL), 10 * every
        self.descend(self.theta(self.case.edge - steps), steps, tracking(tracker), every)
        return tracker.pack()

    def judged(self, taken: list[tuple[Tensor, float, int]]) -> Row:
        """Errors of as many measurements as are to be checked, evenly spread, and products of all."""
        errors, vector = [], None
        for theta, value, _ in taken[:: max(1, len(taken) // self.case.checked)]:
            true, vector = reference(self.net.problem, theta, vector)
            errors.append(abs(value / true - 1))
        note = f"median error {median(errors):.0e} of {len(errors)}" + (
            f", misses {TOL:g}" if max(errors) > TOL else ""
        )
        return {"products": sum(products for *_, products in taken) / len(taken), "error": max(errors), "note": note}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", help=", ".join(CASES))
    parser.add_argument("--parts", nargs="+", choices=("hvp", "cold", "track"), default=("hvp", "cold", "track"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="further settings of the networks")
    parser.add_argument("--csv", help="write the table here as well")
    wanted = parser.parse_args()
    if unknown := set(wanted.nets) - set(CASES):
        parser.error(f"no network {', '.join(unknown)}: choose from {', '.join(CASES)}")
    schema.register()
    torch.set_num_threads(wanted.threads)
    clock = Clock(wanted.rounds, wanted.threads)
    rows, found = list[Row](), list[Reach]()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"), threadpool_limits(wanted.threads):
        for name in wanted.nets or CASES:
            bench = Bench(name, clock, wanted.set)
            for part in wanted.parts:
                print(f"\n{line({column: column for column in COLUMNS}, COLUMNS)}")
                getattr(bench, part)()
            rows += [row | {"parameters": bench.net.problem.dim} for row in bench.rows]
            found += reached(name, bench.costs, bench.notes)
    if wanted.csv:
        with open(wanted.csv, "w") as file:
            writer = csv.DictWriter(file, [*COLUMNS, "parameters", "threads", "rounds"], restval="")
            writer.writeheader()
            about = {"threads": wanted.threads, "rounds": wanted.rounds}
            writer.writerows(row | about for row in rows)
    print(f"\ntorch {torch.__version__}, {os.cpu_count()} cores, {wanted.threads} in use")
    print("reach:", *found, sep="\n")


if __name__ == "__main__":
    main()
