"""Every table that aeos writes: its columns in order. One row a measurement, one column a variable, append-only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """`clock` columns depend on machine and moment: two runs of one config may differ there and nowhere else."""

    name: str
    kind: type = float
    meaning: str = ""
    clock: bool = False


METRICS = (
    Column("step", int, "optimizer steps taken"),
    Column("process", str, "which process: the optimizer itself, or one of its models"),
    Column("lr", float, "learning rate of the step that leaves here, schedule included"),
    Column("train_loss", float, "loss on the full training set"),
    Column("train_accuracy", float, "fraction right on the full training set; empty where the problem has no classes"),
    Column("test_loss", float, "loss on the held-out set"),
    Column("test_accuracy", float, "fraction right on the held-out set"),
    Column(
        "grad_norm", float, "‖g‖₂ of the gradient that the step leaving here uses (its minibatch, or the full batch)"
    ),
    Column("max_update", float, "‖u‖∞ of the step that led here, θ' = (1−ηλ)θ − ηu; empty at step 0"),
    Column("param_norm", float, "‖θ‖₂"),
    Column("wall_time", float, "seconds of run time so far, restarts added up", clock=True),
)

TABLES = {"metrics": METRICS}
