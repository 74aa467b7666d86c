"""Work in processes of their own: they hear no Ctrl-C and are gone when the process that started them is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from typing import Any

from aeos.errors import BadInput

POLL = 0.2  # seconds between two looks at the workers


class Pool:
    """Pieces of work that are under way in worker processes, each with what the caller calls it."""

    def __init__(self, executor: ProcessPoolExecutor, interrupted: threading.Event) -> None:
        self._executor, self._interrupted = executor, interrupted
        self._flying: dict[Future[Any], Any] = {}

    def __len__(self) -> int:
        """How many pieces have not been handed back by `ended` yet."""
        return len(self._flying)

    def submit(self, name: Any, work: Callable[..., Any], *args: Any) -> None:
        with _hearing(signal.SIG_IGN):  # workers start here and inherit this; the process that hears Ctrl-C stops them
            self._flying[self._executor.submit(work, *args)] = name

    def ended(self) -> Iterator[tuple[Any, Any]]:
        """(name, what its work returned) of those that ended within a moment; raises what a work raised.

        Raises KeyboardInterrupt when Ctrl-C was heard since, and BadInput when a worker was killed.
        """
        try:
            ended, _ = wait(self._flying, POLL, FIRST_COMPLETED)
            if self._interrupted.is_set():
                raise KeyboardInterrupt
            for future in ended:
                yield self._flying.pop(future), future.result()
        except BrokenProcessPool:
            advice = "the same command continues, workers=1 needs the least memory"
            raise BadInput(f"a worker process died (out of memory?): {advice}") from None


@contextmanager
def pool(workers: int, context: BaseContext, begin: Callable[..., None], *args: Any) -> Iterator[Pool]:
    """Up to `workers` processes, each of which calls begin(*args) first. Leaving waits for what is under way.

    Ctrl-C waits until `Pool.ended` looks: within a wait it would leave locks of the pool held.
    """
    executor = ProcessPoolExecutor(workers, context, _begin, (begin, args))
    interrupted = threading.Event()
    with _hearing(lambda *_: interrupted.set()):
        try:
            yield Pool(executor, interrupted)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _begin(begin: Callable[..., None], args: tuple[Any, ...]) -> None:
    threading.Thread(target=_follow_parent, daemon=True).start()
    begin(*args)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


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
