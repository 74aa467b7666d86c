"""A process that has read in torch and aeos once and forks a child a command: a fault costs no start-up."""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import io
import json
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    code: int
    err: str
    orphans: int


class Server:
    """One command at a time, in a session of its own: whoever is left in that session afterwards is an orphan."""

    def __init__(self) -> None:
        env = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "MPLBACKEND": "agg"}
        words = [sys.executable, "-m", "tests.faults.server"]
        self._process = subprocess.Popen(
            words, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid, self._folder = 0, Path()

    def start(self, folder: Path, words: Sequence[str], fault: dict[str, Any] | None = None) -> int:
        """`aeos WORDS` in that folder, where its stdout and stderr go too; returns its process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "err").write_text("")  # of a command that is gone before it says anything
        request = {"folder": str(folder), "words": list(words), "fault": fault or {}}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        self.pid, self._folder = int(self._process.stdout.readline()), folder
        return self.pid

    def end(self) -> Ended:
        assert self._process.stdout is not None
        code = int(self._process.stdout.readline())
        deadline = time.monotonic() + 5
        while (left := members(self.pid)) and time.monotonic() < deadline:
            time.sleep(0.02)
        for process in left:
            os.kill(process, signal.SIGKILL)
        return Ended(code, (self._folder / "err").read_text(errors="replace"), len(left))

    def run(self, folder: Path, words: Sequence[str], fault: dict[str, Any] | None = None) -> Ended:
        self.start(folder, words, fault)
        return self.end()

    def close(self) -> None:
        self._process.communicate()


def members(session: int) -> list[int]:
    """Processes of a session that are alive."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, of = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(of) == session and state not in "ZX":
            found.append(int(entry.name))
    return found


def serve() -> None:
    """Requests come as lines; the answers are the child's process and, once it has ended, its exit code."""
    import pandas  # noqa: F401
    import torch

    from aeos import schema
    from aeos.cli import app
    from aeos.jobs import flow_compare, sde_compare, sharpness, sweep_stability, train  # noqa: F401
    from aeos.launch import launch  # noqa: F401

    torch.set_num_threads(1)
    torch.func.vmap(torch.func.grad(torch.sum))(torch.ones(2, 2))  # reads in what a first ensemble would
    schema.register()
    schema.register = lambda: None
    with contextlib.redirect_stdout(io.StringIO()):
        app(["list", "jobs"], standalone_mode=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _composed_once()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        _compose(request["words"])
        child = os.fork()
        if not child:
            play(**request)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _composed_once() -> None:
    """Hydra takes longer over a config than these jobs run: it composes each one once, before the forks."""
    import hydra

    compose = hydra.compose

    @functools.cache
    def known(name: str, words: tuple[str, ...], whole: bool) -> Any:
        return compose(name, list(words), return_hydra_config=whole)

    hydra.compose = lambda name, words, return_hydra_config=False: copy.deepcopy(
        known(name, tuple(words), return_hydra_config)
    )


def _compose(words: list[str]) -> None:
    from aeos import schema
    from aeos.launch.compose import composing

    job = words[0].replace("-", "_")
    if job == "reproduce":
        import matplotlib.pyplot  # noqa: F401

        from aeos.reproduce import reproduce  # noqa: F401
    if job in schema.JOBS:
        with composing(job, [], []) as compose:
            compose(words[1:])


def play(folder: str, words: list[str], fault: dict[str, Any]) -> None:
    """Become that command."""
    from multiprocessing import resource_tracker, util

    from aeos.__main__ import main
    from tests.faults.injected import inject

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.setsid()
    os.chdir(folder)
    for number, name in enumerate((os.devnull, "out", "err")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if number else 0), 0o666), number)
    sys.modules["__main__"] = types.ModuleType("__main__")  # else spawned workers would read in this file
    resource_tracker._resource_tracker._fd = None  # type: ignore[attr-defined]
    sys.argv = ["aeos", *words]
    inject(**fault)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    util._exit_function()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # to take this process apart piece by piece takes longer than most of these runs


if __name__ == "__main__":
    serve()
    os._exit(0)
