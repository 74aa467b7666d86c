"""A GPU that is not there: tensors that say they are on it, compute on the CPU, and refuse what a GPU's would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._C import DisableTorchFunctionSubclass
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter, tree_map

from aeos.problems import build

CUDA = torch.device("cuda", 0)
#: What may have operands on both sides: copies, and a GPU's tensor at indices that are on the CPU.
ACROSS = {Tensor.copy_, Tensor.to, Tensor.type_as, Tensor.__setitem__}
HOST = {Tensor.cpu}
DEVICE = Tensor.device.__get__  # type: ignore[attr-defined]
NEVER = {Tensor.numpy, Tensor.__array__}


class Pretend(Tensor):
    """A tensor on CUDA, as far as Python can tell."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        with DisableTorchFunctionSubclass():
            return self.as_subclass(Tensor).__reduce_ex__(protocol)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return called(func, args, kwargs or {})


class Mode(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return called(func, args, kwargs or {})


def called(func: Any, args: Any, kwargs: Any) -> Any:
    given = [one for one in tree_iter((args, kwargs)) if isinstance(one, Tensor)]
    there = [one for one in given if isinstance(one, Pretend)]
    here = [one for one in given if not isinstance(one, Pretend) and not is_functorch_wrapped_tensor(one)]
    if func in (torch.device, torch._C._nn._parse_to):
        return func(*args, **kwargs)
    if func is torch._has_compatible_shallow_copy_type:
        return False  # nn.Module.to then makes new parameters
    if func is Tensor.__deepcopy__:
        return called(Tensor.clone, args[:1], {})
    if func == DEVICE:
        return CUDA if there else plainly(func, args, kwargs)
    if there and func in NEVER:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")
    indexed = func in (Tensor.__getitem__, torch.index_select) and isinstance(args[0], Pretend)
    if there and any(one.dim() for one in here) and func not in ACROSS and not (indexed and func is Tensor.__getitem__):
        raise RuntimeError(f"{func}: Expected all tensors to be on the same device, but found cuda:0 and cpu")
    target = wanted(func, args, kwargs)
    args, kwargs = tree_map(host, (args, kwargs))
    found = plainly(func, args, kwargs)
    to_cuda = target == "cuda" if target else bool(there) and (func not in ACROSS or isinstance(given[0], Pretend))
    return tree_map(lambda one: moved(one, to_cuda and func not in HOST), found)


def wanted(func: Any, args: Any, kwargs: Any) -> str | None:
    """The type of the device that a call names, by itself or by a tensor like which the result is to be."""
    for one in (*args[1:], *kwargs.values()) if func is Tensor.to else kwargs.values():
        if isinstance(one, torch.device):
            return one.type
        if isinstance(one, str) and one.startswith(("cpu", "cuda")):
            return one.partition(":")[0]
        if isinstance(one, Tensor) and func is Tensor.to:
            return "cuda" if isinstance(one, Pretend) else "cpu"
    return None


def host(one: Any) -> Any:
    if isinstance(one, torch.device) or (isinstance(one, str) and one.startswith("cuda")):
        return torch.device("cpu")
    return one


def plainly(func: Any, args: Any, kwargs: Any) -> Any:
    with DisableTorchFunctionSubclass():
        return func(*args, **kwargs)


def moved(one: Any, to_cuda: bool) -> Any:
    if not isinstance(one, Tensor) or isinstance(one, Pretend) == to_cuda or is_functorch_wrapped_tensor(one):
        return one
    with DisableTorchFunctionSubclass():
        return one.as_subclass(Pretend if to_cuda else Tensor)


@contextmanager
def pretended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """device=cuda is there."""
    make = torch.Generator
    monkeypatch.setattr(build, "usable", lambda name: CUDA)
    monkeypatch.setattr(torch, "Generator", lambda device="cpu": make())
    with Mode():
        yield
