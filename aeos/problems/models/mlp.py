"""The fully connected network."""

from __future__ import annotations

import itertools
import math
from typing import Any

from torch import Tensor, nn

from aeos.problems.data.dataset import Dataset
from aeos.problems.models.parts import ACTIVATIONS


class MLP(nn.Module):
    """`depth` hidden layers of `width`, the activation after each; images are flattened; depth 0 is linear."""

    def __init__(self, cfg: Any, data: Dataset) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[cfg.activation]
        widths = [math.prod(data.shape), *[cfg.width] * cfg.depth]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.head = nn.Linear(widths[-1], data.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer in self.hidden:
            x = self.activation(layer(x))
        return self.head(x)
