"""One composed config becomes one run."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from aeos import schema
from aeos.complaints import one_line
from aeos.errors import BadInput
from aeos.results.folder import RunFolder


def task(config: DictConfig, words: Sequence[str]) -> RunFolder:
    """One composed config: check it, skip it when its run is finished, else run it. `words` are for the record."""
    job = next((name for name, node in schema.JOBS.items() if OmegaConf.get_type(config) is node), None)
    if job is None:
        raise BadInput("the primary config has no schema: begin its defaults with /schema/train@_here_")
    try:
        schema.validate(config)
    except OmegaConfBaseException as error:
        raise one_line(error, job) from error
    folder = RunFolder(job, config, ["aeos", job.replace("_", "-"), *words])
    if folder.finished and not config.force:
        print(f"{folder.path}: finished already; force=true does it again")
    else:
        importlib.import_module(f"aeos.jobs.{job}").run(config, folder)
    return folder
