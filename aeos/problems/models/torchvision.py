"""Any of torchvision's classifiers, made a pure function with right derivatives."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from aeos.errors import BadInput
from aeos.problems.data.dataset import Dataset
from aeos.problems.models.parts import BatchNorm, LayerNorm
from aeos.problems.require import require

#: Networks with auxiliary heads, which are left out.
WITH_HEADS = ("googlenet", "inception_v3")


class TorchVision(nn.Module):
    """Grey images become RGB, `size` resizes them bilinearly; random weights; dropout and stochastic depth removed.

    Batch and layer norms are exchanged for ours, and attention runs on its plain kernel, the one that can be
    differentiated more than once. Raises BadInput naming model.arch, or model.size where the images do not fit.
    """

    def __init__(self, cfg: Any, data: Dataset) -> None:
        super().__init__()
        models = require("torchvision.models", "torchvision", "model=torchvision")
        known = models.list_models(module=models)
        if cfg.arch not in known:
            close = difflib.get_close_matches(cfg.arch, known, n=3, cutoff=0.5) or known[:3]
            raise BadInput(f"model.arch={cfg.arch}: torchvision has no such classifier; close ones: {', '.join(close)}")
        options = {"aux_logits": False, "init_weights": True} if cfg.arch in WITH_HEADS else {}
        self.net = pure(models.get_model(cfg.arch, weights=None, num_classes=data.classes, **options))
        self.size = cfg.size
        try:
            with torch.no_grad():
                self(torch.zeros(2, *data.shape))
        except (RuntimeError, ValueError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise BadInput(
                f"model.size={cfg.size}: {cfg.arch} does not take the {data.shape[1]}×{data.shape[2]} images of "
                f"data={data.name} ({reason}); set model.size, 224 fits most"
            ) from error

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        if self.size is not None:
            x = functional.interpolate(x, (self.size, self.size), mode="bilinear")
        with sdpa_kernel(SDPBackend.MATH):
            return self.net(x)


class HardSigmoid(nn.Module):
    """min(max(x + 3, 0), 6)/6: torch's own has no second derivative."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu6(x + 3) / 6


def pure(module: nn.Module) -> nn.Module:
    """The same network, in place: no random layers, norms and activations that can be differentiated three times.

    The parameters and their order stay.
    """
    for name, child in module.named_children():
        new = replacement(child)
        if new is None:
            pure(child)
        else:
            setattr(module, name, new)
    return module


def replacement(old: Any) -> nn.Module | None:
    """What stands in for one of torchvision's modules; None where it can stay."""
    ops = require("torchvision.ops", "torchvision", "model=torchvision")
    if isinstance(old, nn.modules.batchnorm._BatchNorm):
        return adopt(BatchNorm(old.num_features, old.eps), old)
    if isinstance(old, nn.LayerNorm):
        norm = adopt(LayerNorm(old.normalized_shape[-1], old.eps), old)
        channels_first = type(old) is not nn.LayerNorm  # ConvNeXt's subclass: channels come second, not last
        return nn.Sequential(ops.Permute([0, 2, 3, 1]), norm, ops.Permute([0, 3, 1, 2])) if channels_first else norm
    if isinstance(old, (nn.modules.dropout._DropoutNd, ops.StochasticDepth)):
        return nn.Identity()
    return HardSigmoid() if isinstance(old, nn.Hardsigmoid) else None


def adopt(new: Any, old: Any) -> nn.Module:
    new.weight, new.bias = old.weight, old.bias
    return new
