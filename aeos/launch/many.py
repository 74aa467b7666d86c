"""A multirun: every run checked before the first begins, then all handed to the launcher that was chosen."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import traceback
from collections.abc import Sequence
from functools import partial
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from aeos import schema
from aeos.errors import BadInput
from aeos.launch.attempt import Failed, attempt
from aeos.launch.compose import Composer
from aeos.launch.words import each_run, parsed
from aeos.processes import cores

#: Where errors of the launchers themselves come from: a worker that died, a scheduler that is not there.
THEIRS = {"joblib", "submitit", "ray"}


def run_each(compose: Composer, words: Sequence[str]) -> None:
    """Run them all; raises the first failure at the end, BadInput for what is wrong with any before the first run."""
    hydra: Any = GlobalHydra.instance().hydra
    words = [*words, *_shards(compose, words)]
    config = _checked(compose, words)
    with tempfile.TemporaryDirectory(prefix="aeos-") as notes:
        told = [*compose.told, f"hydra.sweep.dir={notes}", *_launcher(config)]
        todo = partial(attempt, (platform.node(), os.getpid()))
        try:
            batches = hydra.multirun(compose.name, todo, [*words, *told, "hydra.searchpath=[]"])
        except Exception as error:
            modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
            if {module.split(".")[0] for module in modules} & THEIRS:
                line = " ".join(str(error).split())[:200]
                raise BadInput(f"launch={config.launch.name}: {line}; the same command continues") from error
            raise
    failures = [failed for batch in batches for ran in batch if isinstance(failed := ran.return_value, Failed)]
    for failed in failures:
        failed.tell()
    if failures:
        raise failures[0].error()


def _shards(compose: Composer, words: Sequence[str]) -> list[str]:
    """`shards=4` without `shard=`: all of them."""
    given = {override.key_or_group: override for override in parsed(words)}
    if "shard" in given or "shards" not in given or given["shards"].is_sweep_override():
        return []
    shards = given["shards"].value()
    return [f"shard={','.join(map(str, range(shards)))}"] if isinstance(shards, int) and 1 < shards < 10**4 else []


def _checked(compose: Composer, words: Sequence[str]) -> DictConfig:
    """Compose and validate each run before the first one starts: a misspelt last value costs nothing. One of them."""
    for override in parsed(words):
        if override.is_sweep_override() and override.key_or_group.split(".")[0] == "launch":
            raise BadInput(f"{override.input_line}: one launcher has all the runs; give one value")
    hydra: Any = GlobalHydra.instance().hydra
    if any(word.startswith("hydra/sweeper=") for word in compose.told):
        if compose.folder:
            raise BadInput("-cd and hydra/sweeper do not go together: its runs cannot be looked at before they begin")
        runs = [[str(each.input_line) for each in parsed(words) if not each.is_sweep_override()]]
    else:
        runs = list(each_run(words, hydra.config_loader))
    for run in runs:
        schema.validate(config := compose(run))
    return config


def _launcher(config: DictConfig) -> list[str]:
    """What Hydra must be told for this choice of `launch`."""
    chosen = config.launch
    if chosen is None or chosen.name == "here":
        return []
    workers = chosen.get("workers") or cores()
    key = "hydra.launcher"
    if chosen.name == "workers":
        return ["hydra/launcher=workers", f"{key}.workers={workers}"]
    if chosen.name == "joblib":
        return ["hydra/launcher=joblib", f"{key}.n_jobs={workers}"]
    if chosen.name == "ray":
        place = f"address:'{chosen.address}'" if chosen.address else f"address:null,num_cpus:{workers}"
        quiet = "include_dashboard:false,log_to_driver:false,logging_level:error"
        return ["hydra/launcher=ray", f"++{key}.ray.init={{{place},{quiet}}}"]
    if shutil.which("srun") is None:
        raise BadInput("launch=slurm: there is no srun here; give the command on a machine of the cluster")
    settings = {
        "partition": chosen.partition,
        "account": chosen.account,
        "qos": chosen.qos,
        "timeout_min": chosen.minutes,
        "cpus_per_task": chosen.cpus,
        "mem_gb": chosen.memory_gb,
        "gpus_per_node": chosen.gpus or None,
        "array_parallelism": chosen.parallel,
        "max_num_timeout": chosen.retries,
    }
    given = [f"{key}.{name}={value}" for name, value in settings.items() if value is not None]
    folders = ["hydra.sweep.dir=${out}/.slurm", f"{key}.submitit_folder=${{out}}/.slurm/%j"]
    return ["hydra/launcher=submitit_slurm", *given, *folders]
