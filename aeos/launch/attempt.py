"""One run of many: what goes wrong with it is told, and ends no other."""

from __future__ import annotations

import os
import platform
import signal
import threading
import traceback
from dataclasses import dataclass

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from aeos.errors import BadInput, report
from aeos.launch.task import task

Home = tuple[str, int]  # machine and process


@dataclass
class Failed:
    """A run that failed: an error's kind and text, which travel where the error itself may not."""

    kind: str
    text: str
    told: bool = False

    def error(self) -> Exception:
        """The error again, as far as the one line about it goes."""
        kind = BadInput if self.kind == "BadInput" else type(self.kind, (Exception,), {})
        error: Exception = kind(self.text)
        error.reported = self.told  # type: ignore[attr-defined]
        return error

    def tell(self) -> None:
        """Say so on stderr, once."""
        report(self.error())
        self.told = True


def attempt(home: Home, config: DictConfig) -> Failed | None:
    """Do the run of this config, here or in a launcher's worker; `home` is where the command was given."""
    away = home != (platform.node(), os.getpid())
    if away:
        _settle_in(config)
    try:
        task(config, HydraConfig.get().overrides.task)
    except Exception as error:
        if away and os.environ.get("AEOS_DEBUG"):
            traceback.print_exception(error)
        failed = Failed("BadInput" if isinstance(error, BadInput) else type(error).__name__, str(error))
        if not away:
            failed.told = bool(report(error))
        return failed
    return None


def _settle_in(config: DictConfig) -> None:
    """Ctrl-C is for the process that started us; and where runs share a machine, a sweep has no workers of its own."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if config.launch is not None and config.launch.name != "slurm" and "workers" in config and config.workers is None:
        config.workers = 0
