"""A run folder: addressed by its settings, written by one process at a time, resumable at any moment, done once."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from aeos.errors import BadInput
from aeos.ranks import ALONE, Ranks
from aeos.results import atomic, sinks
from aeos.results.environment import environment
from aeos.results.follower import Follower, send
from aeos.results.identity import digest, resolved, run_name
from aeos.results.lock import held
from aeos.results.parts import PARTS, agreeing, parts
from aeos.results.read import conclusion, identity, intact
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
    "block.json",
    f"{PARTS}/*/checkpoint.pt",
    f"{PARTS}/*/blocks/*",
    f"{PARTS}/*/*.csv",
    f"{PARTS}/*/run.log",
    "config.yaml",
    "env.json",
    ".*.tmp",
    "blocks/.*.tmp",
)
LITTER = FILES[-2:]  # what a kill left half written


class RunFolder:
    """outputs/<job>/<name>-<hash>/, before anything is written there."""

    def __init__(self, job: str, config: DictConfig, command: Sequence[str] = (), ranks: Ranks = ALONE) -> None:
        """`command`: the words that make this run and no other, for the record; `ranks`: who shares its work."""
        self.job, self.config, self.command, self.ranks = job, config, list(command), ranks
        self.path = Path(config.out) / job / run_name(config)
        self.place = self.path  # where this process writes: for one part of a run, inside

    @property
    def finished(self) -> dict[str, Any] | None:
        """The summary of a finished run; None of one whose files are not as it left them: to continue heals it, or says
        what to do.
        """
        summary, checksums = conclusion(self.path)
        return summary if all(intact(self.path / name, crc) for name, crc in checksums.items()) else None

    @property
    def threads(self) -> int | None:
        """How many threads this run began with: sums depend on it, so it continues with as many; None if it is new."""
        try:
            return int(json.loads((self.path / "env.json").read_text())["threads"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @contextmanager
    def opened(self, provenance: dict[str, Any], threads: int = 1) -> Iterator[Recorder]:
        """Create or continue the run; `provenance` says which data it is on, and must be the same when it continues.

        Raises BadInput when the folder cannot be written, or another process is writing it, or the data changed.
        """
        sinks.check(self.config.sinks)
        if not self.ranks.first:
            yield Follower(self.ranks)
            return
        with ExitStack() as stack:
            self._lock(stack)
            with atomic.writing(self.path), self._agreeing():
                self._clear(FILES if self.config.force else LITTER)
                for name in sinks.SINKS if self.config.force else ():
                    sinks.clear(self.place, name)
                self._describe(provenance, threads)
            stack.enter_context(self._logged())
            recorder = stack.enter_context(Recorder(self.path, self.config.checkpoint_seconds, self.place))
            copies = sinks.opened(self.config.sinks, self.place, self._about(), list(recorder.tables))
            recorder.sinks = stack.enter_context(copies)
            send(self.ranks, recorder.saved)
            yield recorder

    def _about(self) -> sinks.About:
        part = "" if self.place == self.path else f"-{self.place.name}"
        return sinks.About(self.job, self.path.name + part, digest(self.config) + part, resolved(self.config))

    def _lock(self, stack: ExitStack) -> None:
        try:
            stack.enter_context(held(self.place))
        except OSError as error:
            raise BadInput(
                f"out={self.config.out}: cannot write there ({error.strerror}): give another folder"
            ) from error

    @contextmanager
    def _agreeing(self) -> Iterator[None]:
        """Alone among the parts of this run, and when all starts over, with none of them under way."""
        with ExitStack() as stack:
            if (self.path / PARTS).is_dir():
                stack.enter_context(agreeing(self.path))
                if self.config.force and self.place == self.path:
                    for part in parts(self.path):
                        stack.enter_context(held(part))
            yield

    def _clear(self, patterns: Sequence[str]) -> None:
        for pattern in patterns:
            for file in self.place.glob(pattern):
                file.unlink(missing_ok=True)

    def _describe(self, provenance: dict[str, Any], threads: int) -> None:
        env, config = self.path / "env.json", resolved(self.config)
        if not _describes(self.path / "config.yaml", config):
            atomic.write_text(self.path / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(config)))
        provenance = json.loads(json.dumps(provenance))
        again = "add force=true to start this run over" if self.place == self.path else f"delete {self.path}"
        if env.is_file() and ((self.path / "checkpoint.pt").is_file() or parts(self.path)):
            try:
                begun = json.loads(env.read_text())
                known, ranks = begun["data"], begun.get("ranks", 1)
                changed = ", ".join(k for k in known.keys() | provenance.keys() if known.get(k) != provenance.get(k))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise BadInput(f"{env} is damaged: {again}") from error
            if changed:
                raise BadInput(f"{self.path}: the data changed since this run began ({changed}): {again}")
            if ranks != self.ranks.count:
                how = f"with torchrun --nproc-per-node {ranks}" if ranks > 1 else "without torchrun"
                raise BadInput(f"{self.path} began {how}: continue it so, or add force=true")
            return
        about = {"job": self.job, "command": self.command, **environment(), "data": provenance}
        about |= {"seed": self.config.seed, "threads": threads, "ranks": self.ranks.count}
        about["device"] = self.config.device
        atomic.write_json(env, about)

    @contextmanager
    def _logged(self) -> Iterator[None]:
        with atomic.writing(self.place / "run.log"):
            handler = RunLog(self.place / "run.log")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.removeHandler(handler)
            with suppress(OSError):  # what the disk would not take; that has been said
                handler.close()


class RunLog(logging.FileHandler):
    """A log without which a run stops: logging itself would print a traceback and go on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging calls it so)
        with atomic.writing(Path(self.baseFilename)):
            raise


def _describes(file: Path, config: dict[str, Any]) -> bool:
    """Whether it holds these settings, but for those that do not say what is computed."""
    try:
        return identity(yaml.safe_load(file.read_text())) == identity(config)
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return False
