"""Settings as they are run: rates given in units of time, and the scaling rule, put into the optimizer's own."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from aeos.errors import BadInput
from aeos.theory.sde import rescale


def effective(config: DictConfig) -> DictConfig:
    """beta = 1 − lr·rho where rho is given; then (η, B, λ, β_i, ε, s) → (κη, κ²B, κλ, 1 − κ²(1 − β_i), ε/κ, s/κ), and
    κ² fewer steps in all that is counted in steps, observations and schedule too: at as many samples.

    Raises BadInput when κ²·batch_size is no whole number, and as `rescale` does.
    """
    found: Any = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    optimizer, kappa = found.optimizer, float(config.kappa)
    for name, rho in (("beta1", config.rho1), ("beta2", config.rho2)):
        if rho is not None:
            optimizer[name] = max(0.0, 1 - optimizer.lr * rho)
    if kappa == 1:
        return found
    given = {"lr": optimizer.lr, "batch_size": config.batch_size or 1, "weight_decay": optimizer.weight_decay}
    given |= {key: optimizer.get(key, default) for key, default in (("beta1", 1.0), ("beta2", 1.0), ("eps", 0.0))}
    try:
        scaled = rescale(kappa, **given, noise=config.noise)
    except ValueError as error:
        raise BadInput(str(error)) from None
    for key in ("lr", "beta1", "beta2", "eps", *(["weight_decay"] if config.kappa_decay else [])):
        if key in optimizer:
            optimizer[key] = float(scaled[key])
    if config.batch_size is not None:
        found.batch_size = scaled["batch_size"]
        if not isinstance(found.batch_size, int):
            raise BadInput(f"kappa={kappa:g}: kappa²·batch_size is {scaled['batch_size']:g}, no number of samples")
    found.noise = scaled["noise"]
    for node, name in ((found, "steps"), (found, "every"), (found, "burn_in"), (found.schedule, "warmup")):
        if node.get(name):
            node[name] = max(1, round(node[name] / kappa**2))
    if "rate" in found.schedule:
        found.schedule.rate *= kappa**2
    return found
