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
from aeos.problems.models.recurrent import LSTM
from aeos.problems.models.state_space import Mamba
from aeos.problems.models.torchvision import TorchVision

#: name: (class, the kinds of data it takes)
MODELS: dict[str, tuple[Callable[[Any, Dataset], nn.Module], tuple[str, ...]]] = {
    "mlp": (MLP, ("image", "table")),
    "cnn": (CNN, ("image",)),
    "resnet": (ResNet, ("image",)),
    "vit": (ViT, ("image",)),
    "transformer": (Transformer, ("sequence",)),
    "lstm": (LSTM, ("sequence",)),
    "mamba": (Mamba, ("sequence",)),
    "torchvision": (TorchVision, ("image",)),
}


def build(cfg: Any, data: Dataset) -> nn.Module:
    """The network that `cfg` (a node of group model) names, initialized as its `init` says, by default as torch does.

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
    model = make(cfg, data)
    if getattr(cfg, "init", "default") == "he":
        model.apply(he)
    return model


def he(module: nn.Module) -> None:
    """W ~ U(−√(6/n), √(6/n)), n inputs a unit, biases 0, for a linear layer or a convolution; others stay

    Keeps the size of activations from layer to layer under ReLU (He et al. 2015, eq. 10).
    """
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """make() with torch's generator seeded for it, and left as it was found."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()
