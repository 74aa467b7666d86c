"""Settings of problems: analytic functions, and networks = data × model × criterion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aeos.schema.fields import at_least, count, finite, fraction, one_of, positive, setting

ACTIVATIONS = ("tanh", "relu", "gelu", "silu", "elu", "softplus", "hardtanh", "identity")
INITS = ("default", "he")


# ── problems ───────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Network:
    """½·sum over outputs for mse, cross-entropy for ce; the mean over samples either way."""

    name: str = "network"
    criterion: str = one_of(("ce", "mse"), "ce")


@dataclass
class Quadratic:
    """½ Σ hᵢ θᵢ². `start`: one number for every coordinate, or one each; null: a seeded normal vector."""

    name: str = "quadratic"
    spectrum: list[float] = finite([1.0, 2.0])
    start: list[float] | None = finite([1.0])

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        if not node.spectrum:
            yield "spectrum=[]: must name at least one eigenvalue"
        if node.start is not None and len(node.start) not in (1, len(node.spectrum)):
            yield f"start={node.start}: must be one number, or one for each of the {len(node.spectrum)} in spectrum"


@dataclass
class Saddle(Quadratic):
    """The embedded saddle Σ ½ hᵢ θᵢ² + (quartic/4) θᵢ⁴ − (cubic/3) θᵢ³, bounded below."""

    name: str = "saddle"
    spectrum: list[float] = finite([-1.0, 2.0])
    start: list[float] | None = finite([0.05, 1.0])
    quartic: float = positive(1.0)
    cubic: float = finite(0.1)


@dataclass
class Teacher:
    """A 6-10-10-2 tanh network in float64 on 64 noisy teacher samples; 202 parameters."""

    name: str = "teacher"


PROBLEMS = (Network, Quadratic, Saddle, Teacher)


# ── data ───────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Data:
    """What every data set has. `n` training samples (null: all), `test` held-out ones, split by `seed`."""

    name: str = "digits"
    n: int | None = count(None)
    test: int | None = count(None)
    label_noise: float = fraction(0.0)
    seed: int = at_least(0, 0)


@dataclass
class Labelled(Data):
    """`classes`: keep only the first so many; null: all."""

    classes: int | None = at_least(2, None)


@dataclass
class Digits(Labelled):
    name: str = "digits"
    n: int | None = count(1000)


@dataclass
class BreastCancer(Labelled):
    name: str = "breast_cancer"
    n: int | None = count(400)


@dataclass
class Mnist5k(Labelled):
    name: str = "mnist5k"
    n: int | None = count(4000)
    test: int | None = count(1000)


@dataclass
class Downloaded(Labelled):
    """Read from `data_dir`; fetched into it when absent and `download` is true."""

    data_dir: str = "data"
    download: bool = True


@dataclass
class Mnist(Downloaded):
    name: str = "mnist"


@dataclass
class FashionMnist(Downloaded):
    name: str = "fashion_mnist"


@dataclass
class Cifar10(Downloaded):
    name: str = "cifar10"


@dataclass
class Text(Data):
    """Character sequences of `context` symbols cut from `path`; null: the running Python's standard-library sources."""

    name: str = "text"
    n: int | None = count(2000)
    test: int | None = count(200)
    path: str | None = None
    context: int = count(32)
    characters: int = at_least(1000, 1_000_000)


@dataclass
class Sorting(Data):
    """Sort `length` symbols of an alphabet of `alphabet`: the model reads them and continues with them in order."""

    name: str = "sorting"
    n: int | None = count(1000)
    test: int | None = count(200)
    alphabet: int = at_least(2, 4)
    length: int = at_least(2, 8)


DATA = (Digits, BreastCancer, Mnist5k, Mnist, FashionMnist, Cifar10, Text, Sorting)


# ── models ─────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Model:
    """What our feed-forward models have. `init` of linear layers and convolutions: torch's, or He's for ReLU."""

    name: str = ""
    init: str = one_of(INITS, "default")


@dataclass
class MLP(Model):
    name: str = "mlp"
    width: int = count(32)
    depth: int = at_least(0, 2)
    activation: str = one_of(ACTIVATIONS, "tanh")


@dataclass
class CNN(Model):
    """Two 3×3 convolutions, each followed by the activation and 2×2 pooling; then one linear layer."""

    name: str = "cnn"
    channels: list[int] = count([32, 64])
    activation: str = one_of(ACTIVATIONS, "relu")
    pool: str = one_of(("max", "avg"), "max")

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        if not node.channels:
            yield "channels=[]: must name the channels of at least one convolution"


@dataclass
class ResNet(Model):
    """CIFAR-type residual network of depth 6n+2: three stages of n blocks with width, 2·width, 4·width channels."""

    name: str = "resnet"
    depth: int = setting(8, lambda x: 8 <= x < 10_000 and x % 6 == 2, "6n+2 for a whole n >= 1 (8, 14, 20, …)")
    width: int = count(16)
    norm: str = one_of(("none", "group", "batch"), "group")
    activation: str = one_of(ACTIVATIONS, "relu")


@dataclass
class Attention(Model):
    """What both transformers have."""

    width: int = count(48)
    depth: int = count(2)
    heads: int = count(4)
    activation: str = one_of(ACTIVATIONS, "gelu")
    qk_norm: bool = False

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        if node.width % node.heads:
            yield f"width={node.width}: must be a multiple of heads={node.heads}"


@dataclass
class ViT(Attention):
    name: str = "vit"
    patch: int = count(4)


@dataclass
class Transformer(Attention):
    """Decoder-only, pre-norm, learned positions."""

    name: str = "transformer"


@dataclass
class LSTM:
    """Layers of torch.nn.LSTM's cell, as wide as the embedding; initialized as torch does."""

    name: str = "lstm"
    width: int = count(32)
    depth: int = count(1)


@dataclass
class Mamba:
    """Selective state spaces: expand·width channels, `state` numbers each; a causal convolution of so many taps."""

    name: str = "mamba"
    width: int = count(32)
    depth: int = count(2)
    state: int = count(8)
    expand: int = count(2)
    kernel: int = count(4)


@dataclass
class TorchVision:
    """Any of torchvision's classifiers by name; grey images become RGB, `size` resizes them (null: as they are)."""

    name: str = "torchvision"
    arch: str = "resnet18"
    size: int | None = count(None)


MODELS = (MLP, CNN, ResNet, ViT, Transformer, LSTM, Mamba, TorchVision)
