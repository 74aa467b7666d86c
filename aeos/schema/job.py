"""Settings that every job shares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aeos.schema.fields import at_least, one_of, positive, setting


def is_name(text: str) -> bool:
    """Whether it can stand in a folder's name, on any system, and nowhere but there."""
    return re.fullmatch(r"[a-zA-Z0-9][\w.+=-]*", text, re.ASCII) is not None


@dataclass
class Job:
    """What every job shares. `deterministic`: the same numbers each time on a GPU too, or one line on what has none."""

    problem: Any = None
    data: Any = None
    model: Any = None
    optimizer: Any = None
    schedule: Any = None
    launch: Any = None
    seed: int = at_least(0, 0)
    steps: int = at_least(0, 1000)
    batch_size: int | None = at_least(1, None, ", or null for the full batch")
    device: str = "cpu"
    dtype: str = one_of(("float32", "float64"), "float32")
    deterministic: bool = False
    threads: int | None = at_least(1, None, ", or null to choose by the size of a step")
    name: str | None = setting(None, is_name, "letters, digits and . _ + = -, a letter or digit first")
    out: str = "outputs"
    force: bool = False
    checkpoint_seconds: float = positive(5.0)
    sinks: list[str] = one_of(("tensorboard", "wandb"), [])

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        needed = ["problem", "optimizer", "schedule"]
        if node.problem is not None and node.problem.name == "network":
            needed += ["data", "model"]
        for group in needed:
            if node[group] is None:
                yield f"{group}: needs a choice (`aeos list` shows them)"


@dataclass
class Curved(Job):
    """`memory_gb`: what a Hessian-vector product may take, by fewer samples at a time; null: no bound."""

    memory_gb: float | None = positive(None)
