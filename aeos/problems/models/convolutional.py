"""Convolutional networks for images (samples, channels, height, width)."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from aeos.errors import BadInput
from aeos.problems.data.dataset import Dataset
from aeos.problems.models.parts import ACTIVATIONS, Activation, BatchNorm


class CNN(nn.Module):
    """For each entry of `channels`: 3×3 convolution, activation, 2×2 pooling; then one linear layer."""

    def __init__(self, cfg: Any, data: Dataset) -> None:
        super().__init__()
        inputs, height, width = data.shape
        channels = list(cfg.channels)
        height, width = height >> len(channels), width >> len(channels)
        if not min(height, width):
            raise BadInput(
                f"model.channels has {len(channels)} entries: as many 2×2 poolings leave nothing of the "
                f"{data.shape[1]}×{data.shape[2]} images of data={data.name}; give fewer"
            )
        self.activation = ACTIVATIONS[cfg.activation]
        self.pool = functional.max_pool2d if cfg.pool == "max" else functional.avg_pool2d
        pairs = zip([inputs, *channels[:-1]], channels, strict=True)
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairs)
        self.head = nn.Linear(channels[-1] * height * width, data.classes)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convolutions:
            x = self.pool(self.activation(convolution(x)), 2)
        return self.head(x.flatten(1))


def normalization(kind: str, channels: int) -> nn.Module:
    """`group` has 8 groups where 8 divides the channels, else as many as divide both."""
    if kind == "group":
        return nn.GroupNorm(math.gcd(8, channels), channels)
    return BatchNorm(channels) if kind == "batch" else nn.Identity()


class Residual(nn.Module):
    """a(x' + norm(conv(a(norm(conv x))))), x' = x, subsampled and padded with zero channels where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str, activation: Activation) -> None:
        super().__init__()
        bias = norm == "none"
        self.stride, self.extra, self.activation = stride, outputs - inputs, activation
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=bias)
        self.first_norm = normalization(norm, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=bias)
        self.second_norm = normalization(norm, outputs)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.activation(self.first_norm(self.first(x)))
        inner = self.second_norm(self.second(inner))
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        if self.extra:
            x = functional.pad(x, (0, 0, 0, 0, 0, self.extra))
        return self.activation(x + inner)


class ResNet(nn.Module):
    """CIFAR-type residual network of depth 6n+2 (He et al. 2016, §4.2, shortcut A): stages of n blocks, global mean."""

    def __init__(self, cfg: Any, data: Dataset) -> None:
        super().__init__()
        width, norm, self.activation = cfg.width, cfg.norm, ACTIVATIONS[cfg.activation]
        self.stem = nn.Conv2d(data.shape[0], width, 3, padding=1, bias=norm == "none")
        self.stem_norm = normalization(norm, width)
        plan = [
            (width << stage, 2 if stage and not block else 1) for stage in range(3) for block in range(cfg.depth // 6)
        ]
        inputs = [width, *(outputs for outputs, _ in plan)]
        self.blocks = nn.Sequential(
            *(Residual(a, b, stride, norm, self.activation) for a, (b, stride) in zip(inputs, plan, strict=False))
        )
        self.head = nn.Linear(4 * width, data.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.stem_norm(self.stem(x)))
        return self.head(self.blocks(x).mean((2, 3)))
