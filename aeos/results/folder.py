"""A run folder: addressed by its settings, written by one process at a time, resumable at any moment, done once."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from aeos.errors import BadInput
from aeos.results import atomic
from aeos.results.environment import environment
from aeos.results.identity import resolved, run_name
from aeos.results.recorder import Recorder

log = logging.getLogger("aeos")

#: What a run writes, in the order in which it may be deleted: without done.json a run is unfinished.
FILES = (
    "done.json",
    "summary.json",
    "checkpoint.pt",
    "blocks/*",
    "*.csv",
    "run.log",
    "figures/*",
    "config.yaml",
    "env.json",
)


class RunFolder:
    """outputs/<job>/<name>-<hash>/, before anything is written there."""

    def __init__(self, job: str, config: DictConfig, command: Sequence[str] = ()) -> None:
        """`command`: the words that make this run and no other, for the record."""
        self.job, self.config, self.command = job, config, list(command)
        self.path = Path(config.out) / job / run_name(config)

    @property
    def finished(self) -> dict[str, Any] | None:
        """The summary of a finished run, else None."""
        try:
            json.loads((self.path / "done.json").read_text())
            return json.loads((self.path / "summary.json").read_text())
        except (OSError, ValueError):
            return None

    @property
    def threads(self) -> int | None:
        """How many threads this run began with: sums depend on it, so it continues with as many; None if it is new."""
        try:
            return int(json.loads((self.path / "env.json").read_text())["threads"])
        except (OSError, ValueError, KeyError):
            return None

    @contextmanager
    def opened(self, provenance: dict[str, Any], threads: int = 1) -> Iterator[Recorder]:
        """Create or continue the run; `provenance` says which data it is on, and must be the same when it continues.

        Raises BadInput when the folder cannot be written, or another process is writing it, or the data changed.
        """
        with ExitStack() as stack:
            stack.enter_context(self._locked())
            if self.config.force:
                self._clear()
            self._describe(provenance, threads)
            stack.enter_context(self._logged())
            recorder = stack.enter_context(Recorder(self.path, self.config.checkpoint_seconds))
            yield recorder

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Held by the kernel for this process, so that it is free again after any death."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise BadInput(
                f"out={self.config.out}: cannot write there ({error.strerror}): give another folder"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise BadInput(f"{self.path} is being written by another process: wait for it, or stop it first") from None
        try:
            yield
        finally:
            os.close(lock)

    def _clear(self) -> None:
        for pattern in FILES:
            for file in self.path.glob(pattern):
                file.unlink()

    def _describe(self, provenance: dict[str, Any], threads: int) -> None:
        env = self.path / "env.json"
        provenance = json.loads(json.dumps(provenance))
        if env.is_file() and (self.path / "checkpoint.pt").is_file():
            try:
                known = json.loads(env.read_text())["data"]
            except (ValueError, KeyError) as error:
                raise BadInput(f"{env} is damaged: add force=true to start this run over") from error
            if known != provenance:
                changed = ", ".join(k for k in known.keys() | provenance.keys() if known.get(k) != provenance.get(k))
                raise BadInput(f"{self.path}: the data changed since this run began ({changed}): add force=true")
            return
        about = {"job": self.job, "command": self.command, **environment(), "data": provenance}
        about |= {"seed": self.config.seed, "threads": threads, "device": self.config.device}
        atomic.write_text(self.path / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(resolved(self.config))))
        atomic.write_json(env, about)

    @contextmanager
    def _logged(self) -> Iterator[None]:
        handler = logging.FileHandler(self.path / "run.log")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.removeHandler(handler)
            handler.close()
