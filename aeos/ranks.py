"""Processes that share the work of one run, as torchrun starts them: which one this is, and sums over all of them."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aeos.errors import BadInput, told

if TYPE_CHECKING:
    from torch import Tensor

#: Commands that share their full batch, and what others that take long do in its place.
SHARING = ("train", "sharpness", "flow-compare")
INSTEAD = {"sweep-stability": "add shards=N to share its points", "reproduce": "set workers=N to share its runs"}
FAULT = "aeos/fault"  # where in the store a rank that fails alone says why
PATIENCE = 2.0  # seconds that the first rank waits for it


class Lost(BadInput):
    """Another rank is gone, and this one can do nothing without it."""


def started() -> tuple[int, int]:
    """(which rank this process is, of how many): as torchrun says; (0, 1) without it."""
    if not {"RANK", "WORLD_SIZE", "LOCAL_RANK"} <= os.environ.keys():
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def mute() -> None:
    """Of several ranks only the first one is heard; AEOS_DEBUG=1 lets all of them speak."""
    if started()[0] and not os.environ.get("AEOS_DEBUG"):
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (until the process ends)


def check(words: Sequence[str]) -> None:
    """Raise BadInput where a command line cannot be shared by the ranks that were started with it."""
    _, count = started()
    command = words[0] if words else ""
    if count == 1 or command.startswith("-"):
        return
    if command not in SHARING:
        raise BadInput(f"{command}: start it without torchrun; {INSTEAD.get(command, 'it is work for one process')}")
    if {"-m", "--multirun"} & {*words}:
        raise BadInput("-m: torchrun shares the work of one run; start each with a torchrun of its own, without -m")


@dataclass(frozen=True)
class Ranks:
    """This process is number `index` of `count` that move alike and share every sum over the data.

    `device`: the one of this rank, None where the setting says it.
    """

    index: int = 0
    count: int = 1
    device: str | None = None
    store: Any = None

    @property
    def first(self) -> bool:
        return self.index == 0

    def share(self, size: int) -> slice:
        """Which of so many samples are this rank's: consecutive ones, as many as the others have, or one more."""
        return slice(size * self.index // self.count, size * (self.index + 1) // self.count)

    def total(self, *parts: Tensor) -> Sequence[Tensor]:
        """Σ over the ranks of each part, in its own shape, by one all-reduce; the parts themselves where there is one
        rank. They may be overwritten.
        """
        if self.count == 1:
            return parts
        import torch
        from torch import distributed

        flat = parts[0].contiguous() if len(parts) == 1 else torch.cat([part.reshape(-1) for part in parts])
        self._together(distributed.all_reduce, flat)
        if len(parts) == 1:
            return [flat]
        pieces = flat.split([part.numel() for part in parts])
        return [piece.view(part.shape) for piece, part in zip(pieces, parts, strict=True)]

    def sent(self, content: bytes = b"") -> bytes:
        """The first rank's bytes, on every rank."""
        if self.count == 1:
            return content
        import torch
        from torch import distributed

        length = torch.tensor([len(content)], device=self.device or "cpu")
        self._together(distributed.broadcast, length, 0)
        data = torch.empty(int(length), dtype=torch.uint8, device=length.device)
        if self.first and content:
            data.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        self._together(distributed.broadcast, data, 0)
        return data.cpu().numpy().tobytes()

    def agree(self, value: Any) -> Any:
        """The first rank's value, of those that JSON has, on every rank: what decides how a run goes on."""
        return value if self.count == 1 else json.loads(self.sent(json.dumps(value).encode() if self.first else b""))

    @contextmanager
    def one_by_one(self) -> Iterator[None]:
        """The first rank goes through it alone, then the others: whatever it leaves on disk is there for them."""
        if not self.first:
            self.agree(None)
        yield
        if self.first:
            self.agree(None)

    def _together(self, work: Callable[..., Any], *args: Any) -> None:
        try:
            work(*args)
        except RuntimeError as error:
            raise Lost(f"{self._why()}: the same command continues") from error

    def _why(self) -> str:
        deadline = time.monotonic() + PATIENCE
        while self.first and time.monotonic() < deadline:
            try:
                if self.store.check([FAULT]):
                    return self.store.get(FAULT).decode()
            except RuntimeError:
                break
            time.sleep(0.05)
        return f"one of the {self.count} processes of this run died (out of memory?)"


ALONE = Ranks()


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """The ranks that torchrun started, connected until this ends: by gloo, on CUDA by NCCL. ALONE without torchrun.

    Raises BadInput where there is no GPU for each rank. A rank that fails alone leaves its reason to the first one.
    """
    index, count = started()
    if count == 1:
        yield ALONE
        return
    from torch import distributed

    place = _gpu(device) if device.startswith("cuda") else None
    store, *_ = next(distributed.rendezvous("env://"))
    distributed.init_process_group("nccl" if place else "gloo", store=store, rank=index, world_size=count)
    try:
        with _ended_at_once(index > 0 or place is not None):
            yield Ranks(index, count, place, store)
    except Exception as error:
        if index and not isinstance(error, Lost):
            store.set(FAULT, f"rank {index}: {told(error)}")
        raise
    finally:
        distributed.destroy_process_group()


def _gpu(device: str) -> str:
    import torch

    if device != "cuda":
        raise BadInput(f"device={device}: each rank has a GPU of its own; set device=cuda")
    local, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local >= there:
        raise BadInput(f"device=cuda: this machine has {there} CUDA devices; start no more ranks, or set device=cpu")
    torch.cuda.set_device(local)
    return f"cuda:{local}"


@contextmanager
def _ended_at_once(wanted: bool) -> Iterator[None]:
    """Signals end the process without asking Python, which hears none while it waits for another rank."""
    ours = wanted and threading.current_thread() is threading.main_thread()
    signals = (signal.SIGINT, signal.SIGTERM) if ours else ()
    before = [signal.signal(one, signal.SIG_DFL) for one in signals]
    try:
        yield
    finally:
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)
