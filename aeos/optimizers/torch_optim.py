"""Any update rule as a torch.optim.Optimizer: one loop, with torch's names for the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from aeos.errors import BadInput
from aeos.optimizers.ranges import check
from aeos.optimizers.rules import Rule

Params = Iterable[Any]  # parameters, or torch's dictionaries of them


def spell(rule: Rule) -> dict[str, Any]:
    """The rule's settings in torch's names: (beta1, beta2) → betas, beta2 alone → alpha, beta1 alone → momentum."""
    group = {field.name: getattr(rule, field.name) for field in fields(rule)}
    if "beta1" in group and "beta2" in group:
        group["betas"] = (group.pop("beta1"), group.pop("beta2"))
    elif "beta2" in group:
        group["alpha"] = group.pop("beta2")
    elif "beta1" in group:
        group["momentum"] = group.pop("beta1")
    return group


def read(kind: type[Rule], group: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `spell` for a parameter group of a rule of this kind; keys that are not settings are left out."""
    given = {"beta2": group.get("alpha"), "beta1": group.get("momentum")} | group
    if "betas" in group:
        given["beta1"], given["beta2"] = pair(group["betas"])
    return {field.name: given[field.name] for field in fields(kind)}


def pair(betas: Any) -> tuple[float, float]:
    try:
        beta1, beta2 = betas
    except (TypeError, ValueError):
        raise BadInput(f"betas={betas}: must be a pair (beta1, beta2)") from None
    return beta1, beta2


class FromRule(torch.optim.Optimizer):
    """Any update rule on the parameters of a model: θ ← (1 − ηλ)θ − η·u(g), each parameter group with its own settings.

    Parameter groups carry the settings (`spell`), so learning-rate schedulers, per-group values and
    state_dict()/load_state_dict() work as for torch's own classes. Parameters without a gradient are left alone.

    Raises BadInput for settings out of range, and for gradients that are sparse or complex.
    """

    def __init__(self, params: Params, rule: Rule) -> None:
        self.kind = type(rule)
        super().__init__(params, spell(rule))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "kind": self.kind}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        check(read(self.kind, {**self.defaults, **param_group}))
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns what `closure`, which evaluates the model again, returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rule = self.kind(**read(self.kind, group))
            moving = [p for p in group["params"] if p.grad is not None]
            if any(p.grad.layout != torch.strided or p.grad.is_complex() for p in moving):
                raise BadInput(f"{type(self).__name__}: gradients must be dense and real; use sparse=False layers")
            if rule.elementwise:
                for p in moving:
                    rule.update_(p, p.grad, self._state(rule, p, p))
            elif moving:
                self._advance_as_one(rule, moving, group["params"][0])
        return loss

    def _state(self, rule: Rule, owner: Tensor, theta: Tensor) -> dict[str, Tensor]:
        state = self.state[owner]
        if not state:
            state.update(rule.init(theta))
        return state

    def _advance_as_one(self, rule: Rule, params: list[Tensor], owner: Tensor) -> None:
        """One step on all of them as one vector; the state belongs to the group's first parameter."""
        theta = torch.cat([p.reshape(-1) for p in params])
        grad = torch.cat([p.grad.reshape(-1) for p in params if p.grad is not None])
        rule.update_(theta, grad, self._state(rule, owner, theta))
        for p, new in zip(params, theta.split([p.numel() for p in params]), strict=True):
            p.copy_(new.view_as(p))
