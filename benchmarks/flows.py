"""The cost of one step of each flow, in full-batch gradients of the same problem, on one thread.

    python benchmarks/flows.py [teacher teacher-rmsprop digits cnn] [--rounds 3] [--substeps 2 4] [--csv FILE]

A flow begins at the midpoint of its optimizer after so many steps (`from`) and goes SETTLE steps before it is timed. K
is how many eigenvalues the central flow counts as critical there, on average over the window: as many as the optimizer
has brought to the edge by then. A window holds 100 measurements of the eigenvalues, one of them a cold start, as each
hundred does. Windows of all flows follow one another in alternating order in one process, each between two timings of
the gradient; a cost is the median over rounds, lowest and highest stand beside it. `products` with the Hessian and
third `derivatives` are a step's, by its first substep. `optimizer` is its own step: about 1.
"""

from __future__ import annotations

import argparse
import copy
import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean, median
from typing import Any

import hydra
import torch
from paired import Clock, line

from aeos import schema
from aeos.dynamics import CentralFlow, Discrete, GradientFlow, Process, StableFlow, State
from aeos.jobs.optimizer import build_optimizer
from aeos.paths import conf_dir
from aeos.problems.build import build_problem

Row = dict[str, Any]
COLUMNS = {"problem": 16, "parameters": -10, "from": -6, "flow": 14, "substeps": -8, "K": -5, "cost": -8}
COLUMNS |= {"lowest": -8, "highest": -8, "products": -9, "derivatives": -11}
SETTLE = 10  # steps
MEASUREMENTS = 100  # to a cold start and the next
SHORT = 100  # steps of a window without a central flow


@dataclass(frozen=True)
class Case:
    """Overrides of `aeos flow-compare`; after how many of the optimizer's steps its flows begin."""

    overrides: Sequence[str]
    starts: Sequence[int]


DIGITS = ("problem=edge", "optimizer=gd", "optimizer.lr=0.4", "dtype=float64")
CNN = ("problem=edge", "data.n=100", "model=cnn", "model.channels=[8,16]", "model.activation=gelu", "model.pool=avg")
CASES = {
    "teacher": Case(("problem=teacher", "optimizer=gd", "optimizer.lr=0.35"), (20, 150, 1200)),
    "teacher-rmsprop": Case(("problem=teacher", "optimizer=rmsprop", "optimizer.lr=0.003"), (5, 200, 500)),
    "digits": Case(DIGITS, (50, 180, 800, 1000)),
    "cnn": Case((*CNN, "optimizer=gd", "optimizer.lr=0.4", "dtype=float64"), (400, 600)),
}


@dataclass
class Window:
    """Some steps of a process from a state that it is given back to before each round."""

    process: Process
    state: State
    steps: int

    def run(self, turn: int) -> Row:
        """K, products and third derivatives a step of a central flow, by the first substep of each."""
        state = State(self.state.theta.clone(), self.state.step, copy.deepcopy(self.state.memory))
        state.tracker = copy.deepcopy(self.state.tracker)
        critical, products, flow = [], [], self.process
        for _ in range(self.steps):
            if isinstance(flow, CentralFlow):
                local = flow.linearize(state)
                critical.append(len(local.eigenvalues))
                products.append(local.matvecs)
            state = flow.advance(state)
        if not isinstance(flow, CentralFlow):
            return {}
        n, thirds = flow.substeps, mean(K * (K + 1) / 2 for K in critical)
        return {"substeps": n, "K": float(mean(critical)), "products": n * mean(products), "derivatives": n * thirds}


def windows(optimizer: Discrete, start: int, substeps: Sequence[int], seed: int = 0) -> dict[str, Window]:
    """All flows, settled, and the optimizer itself."""
    here = optimizer.init(optimizer.problem.init(seed))
    for _ in range(start):
        here = optimizer.advance(here)
    limit = GradientFlow if optimizer.rule.name == "gd" else StableFlow
    found = {"optimizer": Window(optimizer, here, SHORT)}
    flows: list[Any] = [limit(optimizer), *(CentralFlow(optimizer, substeps=n) for n in substeps)]
    for flow in flows:
        state = flow.begin(here)
        for _ in range(SETTLE):
            state = flow.advance(state)
        steps = MEASUREMENTS // flow.substeps if isinstance(flow, CentralFlow) else SHORT
        name = f"central flow/{flow.substeps}" if isinstance(flow, CentralFlow) else flow.name.replace("_", " ")
        found[name] = Window(flow, State(state.theta, state.step, state.memory, state.tracker), steps)
    return found


def measured(name: str, clock: Clock, substeps: Sequence[int]) -> list[Row]:
    """The rows of one problem, printed as they come."""
    config = hydra.compose("flow_compare", list(CASES[name].overrides))
    problem = build_problem(config)
    optimizer, rows = build_optimizer(config, problem), []
    for start in CASES[name].starts:
        sides = windows(optimizer, start, substeps)
        unit = partial(problem.value_and_gradient, sides["optimizer"].state.theta)
        repeats = max(20, min(500, int(0.5 / clock.timed(unit, 5)[0])))  # half a second
        found = clock.paired({key: side.run for key, side in sides.items()}, unit, repeats)
        for key, side in found.items():
            if side.complaint:
                raise SystemExit(f"{name}, {key}: {side.complaint}")
            costs = [cost / sides[key].steps for cost in side.costs]
            row = {"problem": name, "parameters": problem.dim, "from": start, "flow": key.partition("/")[0]}
            row |= side.results[0] | {"cost": median(costs), "lowest": min(costs), "highest": max(costs)}
            rows.append(row)
            print(line(row, COLUMNS, ".1f"), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--substeps", nargs="+", type=int, default=[2, 4])
    parser.add_argument("--csv", help="write the table here as well")
    wanted = parser.parse_args()
    if unknown := set(wanted.problems) - set(CASES):
        parser.error(f"no problem {', '.join(unknown)}: choose from {', '.join(CASES)}")
    schema.register()
    torch.set_num_threads(1)
    print(line({column: column for column in COLUMNS}, COLUMNS))
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        clock = Clock(wanted.rounds, threads=1)
        rows = [row for name in wanted.problems or CASES for row in measured(name, clock, wanted.substeps)]
    if wanted.csv:
        with open(wanted.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, list(COLUMNS), restval="")
            writer.writeheader()
            writer.writerows(rows)
    print(f"\ntorch {torch.__version__}, one thread of {os.cpu_count()}")


if __name__ == "__main__":
    main()
