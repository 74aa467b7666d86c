"""What moves θ: a process advances its state by exactly one optimizer step of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from aeos.curvature import Hessian
from aeos.problems.base import Problem


@dataclass
class State:
    """θ (d,), how many steps it has taken, what the process remembers, and a packed `SharpnessTracker` where it follows
    eigenvalues; these four are what a checkpoint holds.

    The rest is by-product, for observers, and can be computed again: `update` is u of the step that led here, None at
    the start; `pending` is (loss, gradient) at this θ on the batch of the step that leaves here; `hessian` is that of
    the full-batch loss at this θ, its graph kept until the next step; `local` is what a flow found at this θ.
    """

    theta: Tensor
    step: int = 0
    memory: dict[str, Tensor] = field(default_factory=dict)
    tracker: dict[str, Any] = field(default_factory=dict)
    update: Tensor | None = None
    pending: tuple[Tensor, Tensor] | None = None
    hessian: Hessian | None = None
    local: Any = None

    def pack(self) -> dict[str, Any]:
        return {"theta": self.theta, "step": self.step, "memory": self.memory, "tracker": self.tracker}

    def unpack(self, packed: dict[str, Any]) -> State:
        """Take over a packed state, on this state's device. Step counters stay on the CPU, where rules keep them."""
        self.theta.copy_(packed["theta"])
        self.memory = {key: value.to(self.memory[key].device) for key, value in packed["memory"].items()}
        self.step, self.tracker = packed["step"], packed["tracker"]
        self.update = self.pending = self.hessian = self.local = None
        return self


class Process(Protocol):
    """`init` copies θ; `advance` works in place on the state it is given and returns it."""

    name: str
    problem: Problem

    def init(self, theta: Tensor) -> State: ...

    def advance(self, state: State) -> State: ...

    def healthy(self, state: State) -> bool:
        """False once loss or parameters are not finite: the process has diverged and stops there."""
        ...


@runtime_checkable
class Begins(Process, Protocol):
    """A process that can go on from where an optimizer is."""

    def begin(self, state: State) -> State: ...


@runtime_checkable
class Driven(Process, Protocol):
    """A process that each step takes from a learning rate and a gradient."""

    def lr(self, step: int) -> Any: ...

    def look(self, state: State) -> tuple[Tensor, Tensor]:
        """(loss, gradient) of the step that leaves here; computed once, then used by observers and by `advance`."""
        ...
