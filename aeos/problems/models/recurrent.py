"""The long short-term memory network, written out: torch's fused one has no third derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from aeos.problems.data.dataset import Dataset


class LSTMLayer(nn.Module):
    """c ← σ(f)c + σ(i)tanh(g), h ← σ(o)tanh(c), (i, f, g, o) = W_x x + b_x + W_h h + b_h;  (b, t, width) → the same

    h and c start at 0. One layer of torch.nn.LSTM, with its gates in its order and, as the inputs are as wide as the
    state, its initialization: U(−1/√width, 1/√width) for every weight and bias.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inputs, self.hidden = nn.Linear(width, 4 * width), nn.Linear(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        h = c = torch.zeros_like(x[:, 0])
        states = []
        for driven in self.inputs(x).unbind(1):
            i, f, g, o = (driven + self.hidden(h)).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        return torch.stack(states, 1)


class LSTM(nn.Module):
    """Symbols (samples, t) → next-symbol scores (samples, t, classes): embedding, `depth` layers, linear head."""

    def __init__(self, cfg: Any, data: Dataset) -> None:
        super().__init__()
        self.symbols = nn.Embedding(data.classes, cfg.width)
        self.layers = nn.Sequential(*(LSTMLayer(cfg.width) for _ in range(cfg.depth)))
        self.head = nn.Linear(cfg.width, data.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(self.symbols(x)))
