"""How torch computes during a run: in float32 as it is, reproducibly where asked, in less only where allowed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from omegaconf import DictConfig

from aeos.errors import BadInput

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"  # without it cuBLAS adds up in an order of its own


@contextmanager
def numerics(config: DictConfig) -> Iterator[None]:
    """No TF32; with `deterministic` nothing whose result depends on when threads come. Puts back what was there.

    Raises BadInput where torch has no deterministic form of an operation.
    """
    before, cudnn, workspace = _algorithms(), _cudnn(), os.environ.get(WORKSPACE)
    try:
        with tf32(False):
            settle(config)
            yield
    except RuntimeError as error:
        if config.deterministic and "deterministic" in str(error):
            what = str(error).split(" does not")[0].split(". ")[0]
            raise BadInput(f"deterministic=true: torch has no such form of {what}; set it to false") from error
        raise
    finally:
        if _algorithms() != before:  # to say so brings torch's compiler in, two seconds
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        if workspace is None:
            os.environ.pop(WORKSPACE, None)


def settle(config: DictConfig) -> None:
    """Compute so from here on: what a worker process of its own is told."""
    _allow_tf32(False, False)
    torch.backends.cudnn.benchmark = False  # it chooses another algorithm another time
    if config.deterministic:
        os.environ.setdefault(WORKSPACE, ":4096:8")
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True)


def faster(config: DictConfig, device: torch.device) -> Callable[[], AbstractContextManager[Any]] | None:
    """In what training gradients are computed, and nothing else: bfloat16, TF32, or None, like all the rest."""
    bf16, tf = bool(config.get("bf16")), bool(config.get("tf32"))
    if not (bf16 or tf):
        return None

    @contextmanager
    def entered() -> Iterator[None]:
        with ExitStack() as stack:
            if tf:
                stack.enter_context(tf32(True))
            if bf16:  # a cast kept for the next piece would be a graph that is used up
                stack.enter_context(torch.autocast(device.type, torch.bfloat16, cache_enabled=False))
            yield

    return entered


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Whether GPUs may round the factors of a float32 product to 10 bits, which torch allows for convolutions."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    _allow_tf32(allowed, allowed)
    try:
        yield
    finally:
        _allow_tf32(*before)


def _allow_tf32(matmul: bool, convolutions: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, convolutions


def _algorithms() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _cudnn() -> tuple[bool, bool]:
    return torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
