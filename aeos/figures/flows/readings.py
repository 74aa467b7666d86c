"""What figures of `aeos flow-compare` call the processes of its runs, and what they read off its tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from aeos.errors import BadInput
from aeos.figures import style
from aeos.results.read import Run
from aeos.theory.edge import stability_threshold

NAMES = {"gd": "gradient descent", "rmsprop": "RMSprop", "scalar_rmsprop": "scalar RMSprop"}
LIMITS = ("gradient_flow", "stable_flow")
#: By process; whatever has no entry is an optimizer.
LOOKS: dict[str, dict[str, Any]] = {
    "midpoint": {"color": style.COLOURS[5], "linestyle": "-"},
    "gradient_flow": {"color": style.COLOURS[1], "linestyle": "-"},
    "stable_flow": {"color": style.COLOURS[1], "linestyle": "-"},
    "central_flow": {"color": style.COLOURS[2], "linestyle": "-"},
    "ablated_flow": {"color": style.COLOURS[3], "linestyle": "-"},
}
OPTIMIZER: dict[str, Any] = {"color": style.COLOURS[0], "linestyle": "-"}


def optimizer(run: Run) -> str:
    """Its name, which is also that of its process."""
    return str(run.config["optimizer"]["name"])


def called(process: str) -> str:
    return NAMES.get(process, process.replace("_", " "))


def look(process: str) -> dict[str, Any]:
    return LOOKS.get(process, OPTIMIZER)


def limit(run: Run) -> str:
    """gradient_flow, or stable_flow: the run's flow without oscillation. Raises BadInput where it has none."""
    for name in LIMITS:
        if (run.table("metrics")["process"] == name).any():
            return name
    raise BadInput(f"{run.name}: has no gradient or stable flow; give a run with it among its flows")


def metric(run: Run, process: str, column: str = "train_loss") -> pd.Series:
    """That column of metrics.csv by step. Raises BadInput where the process has no row."""
    rows = run.table("metrics").query("process == @process")
    return _by_step(run, process, rows)[column]


def distance(run: Run, process: str, reference: str) -> pd.Series:
    """rms(θ_process − θ_reference) by step. Raises BadInput where there is no row."""
    rows = run.table("distances").query("process == @process and reference == @reference")
    return _by_step(run, f"{process} beside {reference}", rows)["distance"]


def eigenvalue(run: Run, process: str, operator: str, index: int = 1) -> pd.Series:
    """The index-th of `hessian` or `preconditioned` by step. Raises BadInput where none was measured along it."""
    rows = run.table("eigenvalues").query("process == @process and index == @index")
    return _by_step(run, f"eigenvalue {index} of {process}", rows[rows["operator"] == operator])["value"]


def criticality(run: Run, process: str, index: int = 1) -> pd.Series:
    """The index-th eigenvalue of P^(−½)HP^(−½) over the threshold of the step that leaves there: the edge is at 1.

    P = 1 for gradient descent. Raises BadInput where none was measured along this process.
    """
    settings, name = run.config["optimizer"], optimizer(run)
    values = eigenvalue(run, process, "hessian" if name == "gd" else "preconditioned", index)
    lr = metric(run, process, "lr")
    both = values.index.intersection(lr.index)  # eigenvalues may have been measured more often than the metrics
    values, lr = values[both], lr[both]
    inside = name != "gd" and not settings["decoupled"]  # there H has the decay in it
    decay = 0.0 if inside else settings["weight_decay"]
    return values / stability_threshold(name, lr.to_numpy(), weight_decay=decay)


def prediction(run: Run, quantity: str, flow: str = "central_flow") -> pd.DataFrame:
    """predicted and measured, and smoothed where the run has ended, by step; without the first.

    A flow that begins beyond the edge is brought back to it there at once, by an oscillation of any size. Raises
    BadInput where there is no row.
    """
    keys, table = "process == @flow and quantity == @quantity", run.table("predictions")
    rows = _by_step(run, f"{quantity} by {flow}", table.query(keys))
    if "smoothed" in run.tables:
        rows = rows.join(run.table("smoothed").query(keys).set_index("step")["smoothed"])
    return rows[rows.index > table["step"].min()]


def _by_step(run: Run, what: str, rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        raise BadInput(f"{run.name}: no rows of {what}; wait for the first measurement, or give a run that has it")
    return rows.set_index("step")
