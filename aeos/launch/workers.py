"""`launch=workers`: a Hydra launcher over processes of our own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from aeos.errors import BadInput
from aeos.launch.attempt import Failed
from aeos.processes import begun_by, cores, pool, take_share


class WorkersLauncher(Launcher):
    """`workers` runs at a time, each with its share of the cores; a run whose worker dies fails alone."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        configs = {}
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
            with open_dict(config):
                config.hydra.job.id, config.hydra.job.num = str(number), number
            configs[number] = config
        ended: dict[int, JobReturn] = {}
        waiting = list(configs)
        while waiting:
            suspects = self._until_one_dies(configs, waiting, ended, self.workers)
            for number in suspects:  # each by itself: one of them is to blame
                self._until_one_dies(configs, [number], ended, 1)
        return [ended[number] for number in configs]

    def _until_one_dies(
        self, configs: dict[int, DictConfig], waiting: list[int], ended: dict[int, JobReturn], workers: int
    ) -> list[int]:
        """Take from `waiting`, fill `ended`. Returns the runs under way when a worker died; one alone has failed."""
        context = begun_by("spawn")
        stop = context.RawValue("b", 0)
        flying: list[int] = []
        try:
            with pool(workers, context, take_share, stop, max(1, cores() // workers)) as working:
                try:
                    while waiting or len(working):
                        while waiting and len(working) < workers:
                            flying.append(number := waiting.pop(0))
                            working.submit(number, _run, self.context, configs[number], self.task)
                        for number, returned in working.ended():
                            flying.remove(number)
                            ended[number] = _told(returned)
                except BaseException:
                    stop.value = 1
                    raise
        except BadInput as died:
            if len(flying) > 1:
                return flying
            words = " ".join(configs[flying[0]].hydra.overrides.task)
            failed = Failed("BadInput", f"{words}: {died}")
            ended[flying[0]] = _told(JobReturn(status=JobStatus.COMPLETED, _return_value=failed))
        return []


@cache
def register() -> None:
    """Make it a choice of hydra/launcher. Hydra takes a plugin by its name alone, which must be among its own."""
    place = "hydra._internal.core_plugins.aeos"
    sys.modules[place] = sys.modules[__name__]
    WorkersLauncher.__module__ = place
    Plugins.instance().register(WorkersLauncher)
    node = {"_target_": f"{place}.WorkersLauncher", "workers": 1}
    ConfigStore.instance().store(group="hydra/launcher", name="workers", node=node, provider="aeos")


def _run(context: HydraContext, config: DictConfig, task: TaskFunction) -> JobReturn:
    """In a worker: one run, as every launcher of Hydra's does it."""
    setup_globals()
    HydraConfig.instance().set_config(config)
    return run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context)


def _told(returned: JobReturn) -> JobReturn:
    if isinstance(failed := returned.return_value, Failed):
        failed.tell()
    return returned
