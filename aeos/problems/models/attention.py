"""The decoder-only transformer and the vision transformer: one pre-norm block for both."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from aeos.errors import BadInput
from aeos.problems.data.dataset import Dataset
from aeos.problems.models.parts import ACTIVATIONS, LayerNorm

TABLE_SCALE = 0.02  # standard deviation of fresh embeddings and positions (GPT-2)


class Attention(nn.Module):
    """softmax(qkᵀ/√h + mask)v per head of width h; with `qk_norm`, q ← √h·q/‖q‖ and k ← √h·k/‖k‖

    Neither the projections to q and k nor that norm has a bias or an ε: the rows of `query.weight` and `key.weight`
    that belong to one head are then exactly scale invariant, L(ρW) = L(W). Written out, because torch's fused
    attention has no second derivative.
    """

    def __init__(self, width: int, heads: int, qk_norm: bool, mask: Tensor | None) -> None:
        super().__init__()
        self.heads, self.qk_norm = heads, qk_norm
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        if self.qk_norm:
            q, k = (part * part.square().mean(-1, keepdim=True).rsqrt() for part in (q, k))
        scores = q / math.sqrt(q.shape[-1]) @ k.transpose(-2, -1)
        if self.mask is not None:
            scores = scores + self.mask
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))

    def scale_invariant(self) -> dict[str, int]:
        """Parameter → into how many blocks of rows it falls, each of them scale invariant by itself."""
        return {"query.weight": self.heads, "key.weight": self.heads} if self.qk_norm else {}


class Block(nn.Module):
    """x ← x + attention(norm x);  x ← x + W₂a(W₁ norm x), hidden width 4·width"""

    def __init__(self, cfg: Any, mask: Tensor | None = None) -> None:
        super().__init__()
        width = cfg.width
        self.attention_norm, self.mlp_norm = LayerNorm(width), LayerNorm(width)
        self.attention = Attention(width, cfg.heads, cfg.qk_norm, mask)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.activation = ACTIVATIONS[cfg.activation]

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.down(self.activation(self.up(self.mlp_norm(x))))


def table(rows: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(rows, width) * TABLE_SCALE)


class Transformer(nn.Module):
    """Symbols (samples, t) → next-symbol scores (samples, t, classes): embedding + learned positions, blocks, norm."""

    def __init__(self, cfg: Any, data: Dataset) -> None:
        super().__init__()
        (length,) = data.shape
        mask = torch.full((length, length), -math.inf).triu(1)
        self.symbols, self.positions = table(data.classes, cfg.width), table(length, cfg.width)
        self.blocks = nn.Sequential(*(Block(cfg, mask) for _ in range(cfg.depth)))
        self.norm, self.head = LayerNorm(cfg.width), nn.Linear(cfg.width, data.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.embedding(x, self.symbols) + self.positions
        return self.head(self.norm(self.blocks(x)))


class ViT(nn.Module):
    """Images cut into patch×patch tokens: linear embedding + learned positions, blocks, norm, mean over tokens."""

    def __init__(self, cfg: Any, data: Dataset) -> None:
        super().__init__()
        channels, height, width = data.shape
        if height % cfg.patch or width % cfg.patch:
            raise BadInput(f"model.patch={cfg.patch}: must divide the {height}×{width} images of data={data.name}")
        self.patch = cfg.patch
        self.embed = nn.Linear(channels * cfg.patch**2, cfg.width)
        self.positions = table(height * width // cfg.patch**2, cfg.width)
        self.blocks = nn.Sequential(*(Block(cfg) for _ in range(cfg.depth)))
        self.norm, self.head = LayerNorm(cfg.width), nn.Linear(cfg.width, data.classes)

    def forward(self, x: Tensor) -> Tensor:
        p = self.patch
        tokens = x.unflatten(3, (-1, p)).unflatten(2, (-1, p)).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return self.head(self.norm(self.blocks(self.embed(tokens) + self.positions)).mean(1))
