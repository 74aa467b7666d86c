"""Names, types, defaults and ranges of every setting; no torch. The YAML files in conf/ choose and comment."""

from __future__ import annotations

from functools import cache

from hydra.core.config_store import ConfigStore

from aeos.schema.curve import CURVES
from aeos.schema.fields import validate
from aeos.schema.jobs import JOBS
from aeos.schema.launch import LAUNCHES
from aeos.schema.optimizer import OPTIMIZERS, SCHEDULES
from aeos.schema.problem import DATA, MODELS, PROBLEMS

GROUPS = {
    "problem": PROBLEMS,
    "data": DATA,
    "model": MODELS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "curve": CURVES,
    "launch": LAUNCHES,
}

__all__ = ["GROUPS", "JOBS", "register", "validate"]


@cache
def register() -> None:
    """Put every schema where a YAML file's defaults list finds it: `/schema/<group>/<name>@_here_`."""
    store = ConfigStore.instance()
    for name, job in JOBS.items():
        store.store(group="schema", name=name, node=job)
    for group, nodes in GROUPS.items():
        for node in nodes:
            store.store(group=f"schema/{group}", name=str(node().name), node=node)
