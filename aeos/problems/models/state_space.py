"""Mamba, the selective state-space model (Gu & Dao, arXiv 2312.00752): its scan is a plain loop over positions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeos.problems.data.dataset import Dataset
from aeos.problems.models.parts import LayerNorm

STEPS = (1e-3, 0.1)  # Δ at zero input: log-uniform in between
REDUCTION = 16  # Δ is read off width/16 numbers, at least one


def selective_scan(x: Tensor, step: Tensor, rates: Tensor, write: Tensor, read: Tensor) -> Tensor:
    """h ← exp(Δ_t A)h + Δ_t x_t B_tᵀ, y_t = h C_t, from h = 0

    x and the steps Δ (b, t, channels), rates A (channels, n), write B and read C (b, t, n) → y (b, t, channels).
    A is discretized exactly, B to first order, as in the authors' program.
    """
    decay = torch.exp(step[..., None] * rates)
    driven = (step * x)[..., None] * write[:, :, None]
    h = torch.zeros_like(driven[:, 0])
    states = []
    for shrink, push in zip(decay.unbind(1), driven.unbind(1), strict=True):
        h = torch.addcmul(push, shrink, h)
        states.append(h)
    return (torch.stack(states, 1) @ read[..., None]).squeeze(-1)


class Mixer(nn.Module):
    """(x, z) = W_in u;  x ← silu(conv x);  (Δ, B, C) from x;  W_out[(scan(x; Δ, A, B, C) + D·x)·silu z]

    u (b, t, width) → the same; expand·width channels with `state` numbers each. A = −exp(log_rates), one row a channel,
    −1 … −state at first; Δ = softplus(W_Δ·W x + b_Δ), D = 1 at first (§3.6 and the authors' program).
    """

    def __init__(self, cfg: Any) -> None:
        super().__init__()
        channels, rank = cfg.expand * cfg.width, math.ceil(cfg.width / REDUCTION)
        self.sizes = [rank, cfg.state, cfg.state]
        self.enter = nn.Linear(cfg.width, 2 * channels, bias=False)
        self.convolution = nn.Conv1d(channels, channels, cfg.kernel, groups=channels, padding=cfg.kernel - 1)
        self.select = nn.Linear(channels, sum(self.sizes), bias=False)
        self.step = nn.Linear(rank, channels)
        low, high = map(math.log, STEPS)
        steps = torch.empty(channels).uniform_(low, high).exp()
        self.step.bias = nn.Parameter(steps.expm1().log())  # softplus of it is `steps`
        self.log_rates = nn.Parameter(torch.arange(1.0, cfg.state + 1).log().repeat(channels, 1))
        self.skip = nn.Parameter(torch.ones(channels))
        self.leave = nn.Linear(channels, cfg.width, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        x, z = self.enter(u).chunk(2, -1)
        x = functional.silu(self.convolution(x.mT)[..., : x.shape[1]].mT)  # padded on both sides: the past is kept
        step, write, read = self.select(x).split(self.sizes, -1)
        step = functional.softplus(self.step(step))
        y = selective_scan(x, step, -self.log_rates.exp(), write, read)
        return self.leave(torch.addcmul(y, self.skip, x) * functional.silu(z))


class MambaBlock(nn.Module):
    """u ← u + mixer(norm u)"""

    def __init__(self, cfg: Any) -> None:
        super().__init__()
        self.norm, self.mixer = LayerNorm(cfg.width), Mixer(cfg)

    def forward(self, u: Tensor) -> Tensor:
        return u + self.mixer(self.norm(u))


class Mamba(nn.Module):
    """Symbols (samples, t) → next-symbol scores (samples, t, classes): embedding, blocks, layer norm, linear head."""

    def __init__(self, cfg: Any, data: Dataset) -> None:
        super().__init__()
        self.symbols = nn.Embedding(data.classes, cfg.width)
        self.blocks = nn.Sequential(*(MambaBlock(cfg) for _ in range(cfg.depth)))
        self.norm, self.head = LayerNorm(cfg.width), nn.Linear(cfg.width, data.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.symbols(x))))
