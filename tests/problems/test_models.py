"""Catches an architecture that is not the one its name promises."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from problem_cases import DIGITS, SORTING, TABLE, TEXT, relative
from torch import nn
from torch.func import grad, jvp
from torch.nn import functional

from aeos.errors import BadInput
from aeos.problems.data.dataset import Dataset
from aeos.problems.data.load import load
from aeos.problems.models.attention import Attention
from aeos.problems.models.build import build, seeded
from aeos.problems.models.parts import ACTIVATIONS, BatchNorm, LayerNorm
from aeos.problems.models.torchvision import pure
from aeos.schema import problem as schema


def images(channels: int, side: int, classes: int = 10) -> Dataset:
    x, y = torch.randn(4, channels, side, side), torch.zeros(4, dtype=torch.int64)
    return Dataset("made", "image", x, y, x[:0], y[:0], classes, "")


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("depth", "published"), [(20, 269_722), (32, 464_154), (56, 853_018), (110, 1_727_962)])
def test_resnets_have_the_published_number_of_parameters(depth: int, published: int) -> None:
    """He et al. (2016), table 6: 0.27, 0.46, 0.85 and 1.7 million."""
    assert count(build(schema.ResNet(depth=depth, norm="batch"), images(3, 32))) == published


def test_resnet_stages_halve_the_side_and_double_the_width() -> None:
    """He et al. (2016), §4.2: 32, 16, 8 pixels with 16, 32, 64 channels."""
    model, seen = build(schema.ResNet(depth=14), images(3, 32)), []
    for block in model.blocks:
        block.register_forward_hook(lambda _, args, out: seen.append(tuple(out.shape[1:3])))
    model(torch.randn(1, 3, 32, 32))
    assert seen == [(16, 32)] * 2 + [(32, 16)] * 2 + [(64, 8)] * 2


def test_the_reference_mlp_and_cnn_have_the_sheets_number_of_parameters() -> None:
    assert count(build(schema.MLP(width=64), images(1, 8))) == 8970
    channels, features = 9 * 3 * 32 + 32 + 9 * 32 * 32 + 32, 32 * 8 * 8
    assert count(build(schema.CNN(channels=[32, 32]), images(3, 32))) == channels + features * 10 + 10


@pytest.mark.parametrize("side", [7, 8, 28, 32])
@pytest.mark.parametrize("model", [schema.CNN(channels=[4, 5]), schema.ResNet(width=4), schema.ViT(patch=1, width=8)])
def test_images_of_any_side_get_a_score_a_class(model: Any, side: int) -> None:
    assert build(model, images(3, side, classes=6))(torch.randn(2, 3, side, side)).shape == (2, 6)


def test_cnn_is_its_formula() -> None:
    model = build(schema.CNN(channels=[3, 5], activation="elu", pool="avg"), images(1, 8)).double()
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    plain = nn.Sequential(
        model.convolutions[0], nn.ELU(), nn.AvgPool2d(2), model.convolutions[1], nn.ELU(), nn.AvgPool2d(2), nn.Flatten()
    )
    assert torch.equal(model(x), model.head(plain(x)))


@pytest.mark.parametrize("name", schema.ACTIVATIONS)
def test_every_activation_of_the_schema_is_torchs(name: str) -> None:
    x = torch.linspace(-3, 3, 50)
    layers = {"silu": "SiLU", "gelu": "GELU", "relu": "ReLU", "elu": "ELU"}
    assert torch.equal(ACTIVATIONS[name](x), getattr(nn, layers.get(name, name.capitalize()))()(x))


def twins(ours: nn.Module, theirs: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Both in float64 with the same random weight and bias."""
    for name in ("weight", "bias"):
        setattr(theirs, name, nn.Parameter(torch.randn_like(getattr(ours, name))))
        setattr(ours, name, getattr(theirs, name))
    return ours.double(), theirs.double()


@pytest.mark.parametrize("shape", [(3, 8), (3, 5, 8), (3, 4, 5, 8)])
def test_layer_norm_is_torchs(shape: tuple[int, ...]) -> None:
    ours, theirs = twins(LayerNorm(8), nn.LayerNorm(8))
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)


def test_batch_norm_is_torchs() -> None:
    ours, theirs = twins(BatchNorm(6), nn.BatchNorm2d(6))
    x = torch.randn(5, 6, 3, 2, dtype=torch.float64) + 3
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_attention_is_torchs(causal: bool, qk_norm: bool) -> None:
    mask = torch.full((5, 5), -math.inf).triu(1) if causal else None
    ours = seeded(lambda: Attention(8, 2, qk_norm, mask), 0).double()
    x = torch.randn(3, 5, 8, dtype=torch.float64)
    q, k, v = (part(x).view(3, 5, 2, 4).transpose(1, 2) for part in (ours.query, ours.key, ours.value))
    if qk_norm:
        q, k = (2 * functional.normalize(part, dim=-1) for part in (q, k))
    theirs = functional.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).reshape(3, 5, 8)
    torch.testing.assert_close(ours(x), ours.out(theirs), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("qk_norm", [False, True])
def test_a_transformer_does_not_see_the_future(qk_norm: bool) -> None:
    data = load(TEXT)
    model = build(schema.Transformer(width=8, heads=2, qk_norm=qk_norm), data)
    one, other = data.x_train[:1], data.x_train[:1].clone()
    other[0, 3:] = (other[0, 3:] + 1) % data.classes
    difference = (model(one) - model(other)).abs().sum(-1)[0]
    assert (difference[:3] == 0).all()
    assert (difference[3:] > 0).all()


def test_a_vit_cuts_patches_out_of_the_image() -> None:
    """Against the strided convolution that vision transformers are usually written with."""
    model = build(schema.ViT(patch=4, width=8, depth=1), images(3, 8))
    embedded = []
    model.blocks.register_forward_pre_hook(lambda _, args: embedded.append(args[0]))
    x = torch.randn(2, 3, 8, 8)
    model(x)
    tokens = functional.conv2d(x, model.embed.weight.view(8, 3, 4, 4), model.embed.bias, stride=4)
    torch.testing.assert_close(embedded[0], tokens.flatten(2).transpose(1, 2) + model.positions, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "data", "says"),
    [
        (schema.CNN(), TABLE, r"model=cnn .* data=breast_cancer is table data: choose model=mlp"),
        (schema.Transformer(), DIGITS, r"model=transformer .* data=digits is image data"),
        (schema.MLP(), TEXT, r"model=mlp .* data=text is sequence data: choose model=transformer"),
        (schema.TorchVision(), SORTING, r"model=torchvision .* data=sorting"),
        (schema.ViT(patch=3), DIGITS, r"model.patch=3: must divide the 8×8 images of data=digits"),
        (schema.CNN(channels=[2, 2, 2, 2]), DIGITS, r"model.channels has 4 entries"),
        (schema.TorchVision(arch="resnet1"), DIGITS, r"model.arch=resnet1: .* resnet1\d"),
        (schema.TorchVision(arch="alexnet"), DIGITS, r"model.size=None: alexnet does not take the 8×8 images"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_model_that_does_not_fit_says_so(model: Any, data: Any, says: str) -> None:
    with pytest.raises(BadInput, match=says) as complaint:
        build(model, load(data))
    assert "\n" not in str(complaint.value)


@pytest.mark.parametrize("arch", ["squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small"])
def test_torchvision_networks_are_pure_functions(arch: str) -> None:
    model = build(schema.TorchVision(arch=arch, size=32), load(DIGITS))
    assert not [part for part in model.modules() if isinstance(part, (nn.Dropout, nn.BatchNorm2d, nn.Hardsigmoid))]
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    x = torch.randn(4, 1, 8, 8)
    assert torch.equal(model(x), model(x))
    assert model(x).shape == (4, 10)
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


def test_torchvision_parameters_keep_their_order() -> None:
    import torchvision

    plain = seeded(lambda: torchvision.models.shufflenet_v2_x0_5(num_classes=10), 3)
    model = seeded(lambda: build(schema.TorchVision(arch="shufflenet_v2_x0_5", size=32), load(DIGITS)), 3)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), model.parameters(), strict=True))


def small_torchvision_networks() -> dict[str, nn.Module]:
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt
    from torchvision.models.vision_transformer import VisionTransformer

    return {
        "vit": VisionTransformer(8, 4, 1, 2, 8, 16, dropout=0.3, num_classes=5),
        "convnext": ConvNeXt([CNBlockConfig(4, 6, 1), CNBlockConfig(6, None, 1)], 0.5, layer_scale=0.5, num_classes=5),
    }


@pytest.mark.parametrize("name", ["vit", "convnext"])
def test_purified_networks_have_right_second_and_third_derivatives(name: str) -> None:
    """Their own layer norm is wrong in the third, their own attention has no second."""
    net = pure(seeded(small_torchvision_networks, 0)[name]).double()
    wrapped = build(schema.TorchVision(arch="squeezenet1_1", size=32), load(DIGITS))
    wrapped.net, wrapped.size = net, 8
    start = nn.utils.parameters_to_vector(net.parameters()).detach()
    start = start + 0.3 * torch.randn(start.shape, generator=torch.Generator().manual_seed(2), dtype=start.dtype)
    names, shapes = zip(*((n, p.shape) for n, p in wrapped.named_parameters()), strict=True)
    x, y = torch.randn(3, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 3, 4])

    def loss(theta: torch.Tensor) -> torch.Tensor:
        parts = theta.split([math.prod(shape) for shape in shapes])
        values = {n: part.view(shape) for n, part, shape in zip(names, parts, shapes, strict=True)}
        return functional.cross_entropy(torch.func.functional_call(wrapped, values, (x,)), y)

    u, v = (
        torch.randn(2, len(start), dtype=torch.float64, generator=torch.Generator().manual_seed(3)) / len(start) ** 0.5
    )
    hvp = [jvp(grad(loss), (start + h * v,), (u,))[1] for h in (1e-4, -1e-4)]
    third = grad(lambda a: jvp(lambda b: jvp(loss, (b,), (u,))[1], (a,), (v,))[1])(start)
    slopes = [grad(loss)(start + h * u) for h in (1e-4, -1e-4)]
    assert relative((slopes[0] - slopes[1]) / 2e-4, jvp(grad(loss), (start,), (u,))[1]) < 1e-5
    assert relative((hvp[0] - hvp[1]) / 2e-4, third) < 1e-5


@pytest.mark.parametrize("name", ["mlp", "cnn", "resnet", "vit", "transformer"])
def test_he_draws_weights_and_leaves_the_rest(name: str) -> None:
    """U(±√(6/n)) has second moment 2/n; 4 standard errors √(4/5N)·2/n of N draws."""
    (kind,) = (one for one in schema.MODELS if one().name == name)
    data = load(TEXT if name == "transformer" else DIGITS)
    plain, model = (seeded(lambda init=init: build(kind(init=init), data), 3) for init in schema.INITS)
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    assert layers
    for layer in layers:
        scaled = layer.weight * (layer.weight[0].numel() / 6) ** 0.5
        assert 0.9 < scaled.abs().max() <= 1
        assert abs(3 * scaled.square().mean() - 1) < 4 * (0.8 / scaled.numel()) ** 0.5
        assert layer.bias is None or not layer.bias.any()
    drawn = {id(part) for layer in layers for part in layer.parameters()}
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs) == (id(ours) not in drawn)


def test_seeding_gives_torchs_default_initialization() -> None:
    data = load(replace(DIGITS))
    torch.manual_seed(5)
    plain = nn.Sequential(nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 10))
    model = seeded(lambda: build(schema.MLP(), data), 5)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), model.parameters(), strict=True))
