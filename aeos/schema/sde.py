"""Settings of `aeos sde-compare`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aeos.schema.fields import at_least, fraction, nonnegative, one_of, positive, unfit
from aeos.schema.job import Job

#: The SDEs of each optimizer that has any; those that are published come first.
SDES = {
    "gd": ("new", "faithful"),
    "signsgd": ("new", "empirical", "empirical_full"),
    "rmsprop": ("new", "prior"),
    "adam": ("new", "prior", "lagged", "noisy"),
}
STARTS = ("zero", "signal")


@dataclass
class SdeCompare(Job):
    """`paths` runs of the optimizer, each with noise of its own, beside as many paths of each of its SDEs.

    `noise`: standard deviation of what is added to every entry of every gradient; with `nu`, the scale of Student's t
    with so many degrees of freedom. Minibatches bring noise of their own.
    `sdes`: new; prior, Malladi et al.'s; lagged and noisy, Adam's without the term ηρ₁(∇L − M), and with its noise too;
    faithful, SGD's with its drift corrected; empirical and empirical_full, SignSGD's from the signs of `signs`
    minibatches, each coordinate alone, or together. Null: new, and prior where there is one; []: the optimizer alone.
    Each takes `substeps` of Euler and Maruyama's method per optimizer step.
    `start`: of the second moment, zero, or signal: ∇L² + Σ, for the optimizer too, without bias correction.
    `burn_in`: so many steps at first are the optimizer's own. `rho1`, `rho2`: set beta = 1 − lr·rho. `kappa`: the
    scaling rule, applied to all settings; not to weight decay where `kappa_decay` is false.
    `window`: time averages begin at that fraction of the steps. `coordinates`: so many parameters are kept, drawn at
    random where there are more; `shown`: so many single paths at every observation, all of them at the last.
    """

    every: int = at_least(1, 20)
    paths: int = at_least(2, 256)
    noise: float = nonnegative(0.1)
    nu: float | None = positive(None)
    sdes: list[str] | None = one_of(tuple(dict.fromkeys(name for names in SDES.values() for name in names)), None)
    substeps: int = at_least(1, 1)
    start: str = one_of(STARTS, "zero")
    burn_in: int = at_least(0, 0)
    rho1: float | None = positive(None)
    rho2: float | None = positive(None)
    kappa: float = positive(1.0)
    kappa_decay: bool = True
    window: float = fraction(0.5)
    coordinates: int = at_least(0, 4)
    shown: int = at_least(0, 8)
    signs: int = at_least(2, 16)

    @staticmethod
    def relations(node: Any) -> Iterator[str]:
        yield from Job.relations(node)
        if node.optimizer is None:
            return
        name = node.optimizer.name
        if name not in SDES:
            yield f"optimizer={name}: has no SDE; choose one of {', '.join(SDES)}"
            return
        yield from _unfit_sdes(node, name)
        yield from _unfit_noise(node, name)
        yield from _unfit_rates(node)
        if name == "gd" and node.kappa != 1:
            yield f"kappa={node.kappa:g}: the scaling rule is that of adaptive methods; leave it 1 for gd"
        if "beta2" not in node.optimizer:
            return
        if node.start == "zero" and node.substeps > 1 and not node.burn_in:
            yield (
                f"substeps={node.substeps}: from a second moment of zero steps shorter than the optimizer's divide by "
                "next to nothing; set burn_in=50 or so, or start=signal, or substeps=1"
            )
        if node.start == "signal" and node.optimizer.bias_correction:
            yield "start=signal: bias correction is for a start at zero; set optimizer.bias_correction=false"


def _unfit_sdes(node: Any, name: str) -> Iterator[str]:
    if node.sdes is None:
        return
    yield from unfit("sdes", node.sdes, SDES[name], name)
    for sde in node.sdes:
        if sde.startswith("empirical") and node.batch_size is None:
            yield f"sdes={node.sdes}: {sde} is made of minibatches; set batch_size"


def _unfit_noise(node: Any, name: str) -> Iterator[str]:
    if node.nu is not None and node.batch_size is not None:
        yield f"nu={node.nu:g}: stands for all the noise there is, but batch_size={node.batch_size}; set it to null"
    if name == "signsgd" and node.noise == 0 and node.batch_size is None:
        yield "noise=0: the SDE of SignSGD has a sign without noise for its drift, no function; set noise > 0"
    if name != "signsgd" and node.nu is not None and node.nu <= 2 and node.sdes != []:
        most = "set nu > 2, or optimizer=signsgd, or sdes=[] for the optimizer alone"
        yield f"nu={node.nu:g}: has no variance, which the SDE of {name} needs; {most}"


def _unfit_rates(node: Any) -> Iterator[str]:
    for name, rho in (("beta1", node.rho1), ("beta2", node.rho2)):
        if name not in node.optimizer:
            if rho is not None:
                yield f"rho{name[-1]}={rho:g}: {node.optimizer.name} has no {name}; leave it null"
            continue
        lr = node.optimizer.lr
        if rho is not None and lr * rho > 1:
            most = f"set optimizer.lr <= {1 / rho:g}"
            yield f"rho{name[-1]}={rho:g}: lr·rho = {lr * rho:g} > 1 makes {name} negative; {most}"
            continue
        rate = node.optimizer[name] if rho is None else 1 - lr * rho
        if node.kappa**2 * (1 - rate) > 1 + 1e-9:
            most = f"set kappa <= {1 / math.sqrt(1 - rate):.4g}"
            yield f"kappa={node.kappa:g}: 1 − kappa²(1 − {name}) is negative for {name}={rate:g}; {most}"
