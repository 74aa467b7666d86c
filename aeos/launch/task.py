"""One composed config becomes one run."""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from aeos import schema
from aeos.complaints import one_line
from aeos.errors import BadInput
from aeos.ranks import joined
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
    own = [word for word in words if not word.startswith(("launch=", "launch."))]
    with joined(config.device) as ranks:
        folder = RunFolder(job, config, ["aeos", job.replace("_", "-"), *own], ranks)
        if not config.force and ranks.agree(bool(folder.finished)):
            print(f"{folder.path}: finished already; force=true does it again")
        else:
            from aeos.jobs.numerics import numerics

            with _enough_memory(folder, ranks.count == 1), numerics(config):
                importlib.import_module(f"aeos.jobs.{job}").run(config, folder)
    return folder


@contextmanager
def _enough_memory(folder: RunFolder, alone: bool) -> Iterator[None]:
    """A run that does not fit is the user's to mend; where it came to nothing, it leaves nothing."""
    new = not folder.path.exists()
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if not (isinstance(error, MemoryError) or "allocate memory" in text or "out of memory" in text):
            raise
        size = re.search(r"[Tt]ried to allocate ([\d.]+ \w+)", text)
        if new and alone and not (folder.path / "checkpoint.pt").exists():
            shutil.rmtree(folder.path, ignore_errors=True)
            with suppress(OSError):  # other runs are there
                folder.path.parent.rmdir()
                folder.path.parent.parent.rmdir()
        wanted = f" for {size[1]}" if size else ""
        raise BadInput(
            f"out of memory{wanted}: less data.n, batch_size, model.width, paths or block needs less, and memory_gb "
            "bounds what is measured at a time"
        ) from error
