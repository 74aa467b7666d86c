"""Problems whose loss is a formula: a quadratic, the embedded saddle, and the 202-parameter teacher problem."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from aeos.errors import BadInput
from aeos.problems.base import Batch, Problem


class Coordinates(Problem):
    """Σᵢ f(θᵢ; hᵢ), d = len(spectrum): every formula below holds for θ (d,) and, row by row, for (points, d).

    `start` is θ₀: one number for every coordinate, one each, or None for a seeded standard normal vector.
    Raises BadInput when the length of `start` is neither 1 nor d.
    """

    def __init__(
        self,
        spectrum: Sequence[float],
        start: Sequence[float] | None = (1.0,),
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if start is not None and len(start) not in (1, len(spectrum)):
            raise BadInput(
                f"problem.start has {len(start)} numbers: give one, or one for each of the {len(spectrum)} "
                "entries of problem.spectrum"
            )
        self.device, self.dtype, self.dim = torch.device(device), dtype, len(spectrum)
        self.spectrum = torch.tensor(list(spectrum), device=device, dtype=dtype)
        self.start = None if start is None else list(start)

    def init(self, seed: int) -> Tensor:
        if self.start is None:
            generator = torch.Generator().manual_seed(seed)
            normal = torch.randn(self.dim, generator=generator, dtype=torch.float64)
            return normal.to(self.device, self.dtype)
        return torch.tensor(self.start, device=self.device, dtype=self.dtype).expand(self.dim).clone()

    def value(self, theta: Tensor, batch: Batch | None = None) -> Tensor:
        return self.loss(theta, batch)

    def scores(self, theta: Tensor) -> dict[str, Tensor]:
        return {"train_loss": self.loss(theta.detach()).double().cpu()}

    @abstractmethod
    def gradient(self, theta: Tensor, out: Tensor | None = None) -> Tensor:
        """∇L, shape of θ; written into `out`, if given, which must not be θ: then nothing is allocated."""

    def value_and_gradient(self, theta: Tensor, batch: Batch | None = None) -> tuple[Tensor, Tensor]:
        theta = theta.detach()
        return self.loss(theta), self.gradient(theta)


class Quadratic(Coordinates):
    """L = ½ Σ hᵢθᵢ²,  ∇L = hθ"""

    def loss(self, theta: Tensor, batch: Batch | None = None) -> Tensor:
        return (self.spectrum * theta.square()).sum(-1) / 2

    def gradient(self, theta: Tensor, out: Tensor | None = None) -> Tensor:
        return torch.mul(self.spectrum, theta, out=out)


class Saddle(Coordinates):
    """L = Σ ½hᵢθᵢ² + (λ/4)θᵢ⁴ − (ξ/3)θᵢ³,  ∇L = hθ + λθ³ − ξθ²;  λ = quartic > 0, ξ = cubic

    The saddle is at 0; a coordinate with h < 0 has its minima at (ξ ± √(ξ² − 4λh))/2λ, the one on ξ's side deeper.
    The defaults are the embedded saddle of the adaptive-SDE experiments.
    """

    def __init__(
        self,
        spectrum: Sequence[float] = (-1.0, 2.0),
        quartic: float = 1.0,
        cubic: float = 0.1,
        start: Sequence[float] | None = (0.05, 1.0),
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(spectrum, start, device, dtype)
        self.quartic, self.cubic = quartic, cubic

    def loss(self, theta: Tensor, batch: Batch | None = None) -> Tensor:
        square = theta.square()
        return (square * (self.spectrum / 2 + theta * (self.quartic / 4 * theta - self.cubic / 3))).sum(-1)

    def gradient(self, theta: Tensor, out: Tensor | None = None) -> Tensor:
        return torch.mul(theta, self.quartic, out=out).sub_(self.cubic).mul_(theta).add_(self.spectrum).mul_(theta)


class Teacher(Problem):
    """L = ½ Σ over 2 outputs, mean over 64 samples, of (f_θ(x) − t)²,  f = tanh(tanh(xW₁ + b₁)W₂ + b₂)W₃ + b₃

    6-10-10-2, d = 202, float64; θ = (W₁, b₁, W₂, b₂, W₃, b₃), each row-major and W of shape (inputs, outputs).
    Samples t = sin(xA) + 0.3·noise, x, A, noise standard normal from `numpy.random.default_rng(0)` in the order
    x, A, noise. The weights follow from the same stream, normal/√inputs, biases zero: this is `init(0)`; another seed
    draws them from its own stream.
    """

    shapes = ((6, 10), (10,), (10, 10), (10,), (10, 2), (2,))
    dim, size, dtype = 202, 64, torch.float64

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        x, target, _ = self._draw()
        self.samples = Batch(torch.tensor(x, device=device), torch.tensor(target, device=device))

    @staticmethod
    def _draw() -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(64, 6))
        target = np.sin(x @ rng.normal(size=(6, 2))) + 0.3 * rng.normal(size=(64, 2))
        return x, target, rng

    def init(self, seed: int) -> Tensor:
        rng = np.random.default_rng(seed) if seed else self._draw()[2]
        parts = [rng.normal(size=s) / np.sqrt(s[0]) if len(s) == 2 else np.zeros(s) for s in self.shapes]
        return torch.tensor(np.concatenate([part.ravel() for part in parts]), device=self.device)

    def loss(self, theta: Tensor, batch: Batch | None = None) -> Tensor:
        batch = self.samples if batch is None else batch
        parts = theta.split([int(np.prod(shape)) for shape in self.shapes])
        w1, b1, w2, b2, w3, b3 = (part.view(shape) for part, shape in zip(parts, self.shapes, strict=True))
        hidden = torch.tanh(torch.tanh(batch.x @ w1 + b1) @ w2 + b2)
        return (hidden @ w3 + b3 - batch.y).square().sum(-1).mean() / 2

    def batch(self, indices: Tensor) -> Batch:
        return Batch(self.samples.x[indices], self.samples.y[indices], each=indices.ndim > 1)
