"""Blocks of a sweep, here or in processes of their own: whoever moves them, the same numbers come back."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from aeos.errors import BadInput
from aeos.jobs.sweep.block import Rows, run_block
from aeos.jobs.sweep.points import Point
from aeos.problems.base import Problem
from aeos.problems.build import build_problem

Tell = Callable[[int, int], None]  # (number of the block, step)
POLL = 0.2  # seconds between two looks at the workers


class Stopped(Exception):
    """Ends a block in a worker whose results nobody waits for any more."""


_here: dict[str, Any] = {}  # what a worker process was started with


def run_blocks(
    config: DictConfig, problem: Problem, blocks: Sequence[list[Point]], folder: Path, workers: int, tell: Tell
) -> Generator[tuple[list[Point], Rows], None, None]:
    """Each block with its rows, in the order in which they end. `workers` processes of one thread, 0: this one.

    Raises BadInput as `run_block` does, and when a worker was killed.
    """
    if not workers:
        for number, block in enumerate(blocks):
            yield block, run_block(config, problem, block, folder, partial(tell, number))
        return
    method = start_method(config)
    context = multiprocessing.get_context(method)
    steps, stop = context.SimpleQueue(), context.RawValue("b", 0)
    inherited = problem if method == "fork" else None
    begin = partial(_begin, OmegaConf.to_container(config), inherited, folder, steps, stop)
    pool = ProcessPoolExecutor(workers, context, begin)
    with _deferred() as raise_interrupt:
        try:
            with _deaf():
                waiting = {pool.submit(_work, number, block): block for number, block in enumerate(blocks)}
            while waiting:
                ended, _ = wait(waiting, POLL, FIRST_COMPLETED)
                raise_interrupt()
                while not steps.empty():
                    tell(*steps.get())
                for future in ended:
                    yield waiting.pop(future), future.result()
        except BrokenProcessPool:
            raise BadInput(
                "a worker process died (out of memory?): try workers=1 or a smaller block=…; the same command continues"
            ) from None
        finally:
            stop.value = 1
            pool.shutdown(wait=True, cancel_futures=True)


def start_method(config: DictConfig) -> str:
    """fork costs nothing, but what it makes can use neither an accelerator nor further threads; spawn takes seconds."""
    alone = (config.threads or 1) == 1 and not torch.accelerator.is_available()
    return "fork" if sys.platform == "linux" and alone else "spawn"


@contextmanager
def _hearing(handler: Any) -> Iterator[None]:
    """What Ctrl-C does in here; in another thread than the main one it is not ours to say."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _deaf() -> AbstractContextManager[None]:
    """Processes started here never hear Ctrl-C: the one that started them does, and stops them."""
    return _hearing(signal.SIG_IGN)


@contextmanager
def _deferred() -> Iterator[Callable[[], None]]:
    """Ctrl-C waits for the yielded function to be called: within `wait` it would leave locks of the pool held."""
    heard = threading.Event()

    def raise_interrupt() -> None:
        if heard.is_set():
            raise KeyboardInterrupt

    with _hearing(lambda *_: heard.set()):
        yield raise_interrupt


def _begin(content: Any, problem: Problem | None, folder: Path, steps: Any, stop: Any) -> None:
    """Make this process a worker: one thread, its own problem, gone when the process that started it is gone."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    config = OmegaConf.create(content)
    torch.set_num_threads(config.threads or 1)
    _here.update(config=config, folder=folder, steps=steps, stop=stop, problem=problem or build_problem(config))


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _work(number: int, block: list[Point]) -> Rows:
    due = 0.0

    def tell(step: int) -> None:
        nonlocal due
        if _here["stop"].value:
            raise Stopped
        if monotonic() >= due or step == _here["config"].steps:
            _here["steps"].put((number, step))
            due = monotonic() + POLL

    return run_block(_here["config"], _here["problem"], block, _here["folder"], tell)
