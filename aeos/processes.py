"""Work in processes of their own: they hear no Ctrl-C and are gone when the process that started them is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext
from typing import Any

from aeos.errors import BadInput

POLL = 0.2  # seconds between two looks at the workers
STOPPING = {signal.SIGINT, signal.SIGTERM}


class Pool:
    """Pieces of work that are under way in worker processes, each with what the caller calls it."""

    def __init__(self, executor: ProcessPoolExecutor, interrupted: threading.Event) -> None:
        self._executor, self._interrupted = executor, interrupted
        self._flying: dict[Future[Any], Any] = {}

    def __len__(self) -> int:
        """How many pieces have not been handed back by `ended` yet."""
        return len(self._flying)

    def submit(self, name: Any, work: Callable[..., Any], *args: Any) -> None:
        try:
            with _withheld():  # workers start here and inherit this; the process that hears Ctrl-C stops them
                self._flying[self._executor.submit(work, *args)] = name
        except BrokenProcessPool:
            raise self._broken() from None

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
            raise self._broken() from None

    def _broken(self) -> BaseException:
        if self._interrupted.wait(POLL):  # a signal to all of them ends workers first
            return KeyboardInterrupt()
        advice = "the same command continues, workers=1 needs the least memory"
        return BadInput(f"a worker process died (out of memory?): {advice}")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def take_share(stop: Any, threads: int) -> None:
    """In a worker: use so many cores, and be gone at once when `stop` (a shared number) is not 0."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # torch reads it when a run imports it

    def watch() -> None:
        while not stop.value:
            time.sleep(POLL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # which is how the pool ends workers once one has died
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    threading.Thread(target=_follow_parent, daemon=True).start()
    begin(*args)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def begun_by(method: str) -> BaseContext:
    """What multiprocessing has for processes begun by `fork` or `spawn`; what a kill leaves goes without a warning."""
    if method != "fork":
        _quiet_tracker()
    return multiprocessing.get_context(method)


def _quiet_tracker() -> None:
    """Start the process that tidies up after killed ones, deaf to its own warnings."""
    before = sys.warnoptions[:]
    sys.warnoptions.append("ignore::UserWarning:multiprocessing.resource_tracker")
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions[:] = before


@contextmanager
def _withheld() -> Iterator[None]:
    """Signals that stop us wait until afterwards; processes that begin in here let them wait until `_begin`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
