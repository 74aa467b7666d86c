"""Where the runs of a multirun go: settings of the launchers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aeos.schema.fields import at_least, setting


def word() -> Any:
    """A name that a scheduler or a cluster gave, or null: one word, for it ends up in somebody's script."""
    return setting(None, lambda text: bool(re.fullmatch(r"[\w.:/@+,-]+", text, re.ASCII)), "one word, without blanks")


def workers() -> Any:
    return at_least(1, None, ", or null for one a core")


@dataclass
class Here:
    """One run after the other, in this process."""

    name: str = "here"


@dataclass
class Workers:
    """Processes of this machine, of aeos' own: nothing to install."""

    name: str = "workers"
    workers: int | None = workers()


@dataclass
class Joblib:
    """Processes of this machine, by joblib."""

    name: str = "joblib"
    workers: int | None = workers()


@dataclass
class Slurm:
    """An array job, one task a run, at most `parallel` at a time; one that is out of `minutes` is requeued and resumes.

    `retries`: how often a task may be requeued. `memory_gb`: of one task, null for the partition's default.
    """

    name: str = "slurm"
    partition: str | None = word()
    account: str | None = word()
    qos: str | None = word()
    minutes: int = at_least(1, 60)
    cpus: int = at_least(1, 1)
    memory_gb: int | None = at_least(1, None, ", or null for the partition's default")
    gpus: int = at_least(0, 0)
    parallel: int = at_least(1, 256)
    retries: int = at_least(0, 20)


@dataclass
class Ray:
    """Tasks of one core each: on this machine, or on the cluster at `address` (which has workers of its own)."""

    name: str = "ray"
    workers: int | None = workers()
    address: str | None = word()


LAUNCHES = (Here, Workers, Joblib, Slurm, Ray)
