"""From model settings to a plain `nn.Module` that fits the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from aeos.errors import BadInput
from aeos.problems.data.dataset import Dataset
from aeos.problems.models.attention import Transformer, ViT
from aeos.problems.models.convolutional import CNN, ResNet
from aeos.problems.models.mlp import MLP
from aeos.problems.models.torchvision import TorchVision

#: name: (class, the kinds of data it takes)
MODELS: dict[str, tuple[Callable[[Any, Dataset], nn.Module], tuple[str, ...]]] = {
    "mlp": (MLP, ("image", "table")),
    "cnn": (CNN, ("image",)),
    "resnet": (ResNet, ("image",)),
    "vit": (ViT, ("image",)),
    "transformer": (Transformer, ("sequence",)),
    "torchvision": (TorchVision, ("image",)),
}


def build(cfg: Any, data: Dataset) -> nn.Module:
    """The network that `cfg` (a node of group model) names, with torch's default initialization.

    Images (b, c, h, w) and tables (b, f) → (b, classes); sequences (b, t) → (b, t, classes).
    Raises BadInput naming model and data when they do not fit.
    """
    make, kinds = MODELS[cfg.name]
    if data.kind not in kinds:
        fitting = " or ".join(name for name, (_, takes) in MODELS.items() if data.kind in takes)
        raise BadInput(
            f"model={cfg.name} takes {' or '.join(kinds)} data, but data={data.name} is {data.kind} data: "
            f"choose model={fitting}"
        )
    return make(cfg, data)


def seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """make() with torch's generator seeded for it, and left as it was found."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()
