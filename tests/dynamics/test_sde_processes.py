"""Would catch: noise of minibatches that is not theirs, a burn-in or a resumed run that differs, settings let in."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch

from aeos.dynamics import Discrete
from aeos.dynamics.sde import Injected, Minibatch, Sde, SdeAdam, SdeEmpiricalSign, SdeRMSprop, SdeSignSGD
from aeos.dynamics.sde.base import ENTRIES
from aeos.dynamics.sde.noise import Normals
from aeos.errors import BadInput
from aeos.optimizers.rules import Adam, RMSprop, SignSGD
from aeos.problems.analytic import Quadratic, Saddle, Teacher
from aeos.problems.sampling import Batches, GradientNoise

S, LR = 0.3, 0.02
PROBLEM = Saddle([-1.0, 2.0, 0.5], start=(0.3, 1.0, -0.7), dtype=torch.float64)
START = PROBLEM.init(0).expand(7, -1)


def test_minibatch_noise_takes_its_variance_at_every_step() -> None:
    problem = Teacher()
    start = problem.init(0).expand(3, -1)
    rule = RMSprop(lr=1e-3, beta2=0.9)
    batches = Batches(problem.size, 8, 0, members=3)
    sde = SdeRMSprop(Discrete(problem, rule, batches), Minibatch(problem, 8, 0.05))
    theta = start.clone()
    gradients = [problem.value_and_gradient(start[0], problem.batch(torch.tensor([n])))[1] for n in range(64)]
    mean, square = torch.stack(gradients).mean(0), torch.stack(gradients).square().mean(0)
    variance = (square - mean**2) / 8 * (64 - 8) / 63 + 0.05**2
    source = Normals(0, torch.device("cpu"))
    source.begin(0)
    z = source.fill_(torch.empty(3, problem.dim, dtype=torch.float64))
    v = 0.1 * (mean**2 + variance)
    theta = theta - 1e-3 * (mean + variance.sqrt() * z) / ((v / -math.expm1(-0.1)).sqrt() + 1e-8)
    assert sde.advance(sde.init(start)).theta.numpy() == pytest.approx(theta.numpy(), rel=1e-9)


@pytest.mark.parametrize("form", SdeEmpiricalSign.forms)
def test_signs_of_minibatches(form: str) -> None:
    """Both forms from the signs themselves: the mean, and a spread that leaves out the sampling noise of that mean."""
    problem, j = Teacher(), 4
    start = problem.init(0).expand(2, -1)
    sde = SdeEmpiricalSign(
        Discrete(problem, SignSGD(lr=1e-3), Batches(64, 8, 0, members=2)), Minibatch(problem, 8), form, 2, signs=j
    )
    source = Normals(0, torch.device("cpu"))
    source.begin(0)
    x = start.clone()
    for part in range(2):
        rows = [[Batches(64, 8, 1 + b, members=2).indices(part)[path] for b in range(j)] for path in range(2)]
        signs = torch.stack(
            [
                torch.stack(
                    [problem.value_and_gradient(x[path], problem.batch(rows[path][b]))[1].sign() for b in range(j)]
                )
                for path in range(2)
            ]
        )
        mean = signs.mean(1)
        if form == "empirical":
            noise = signs.std(1) * source.fill_(torch.empty_like(x))
        else:
            weights = source.fill_(x.new_empty(j, 2))
            noise = sum(weights[b, :, None] * (signs[:, b] - mean) for b in range(j)) / math.sqrt(j - 1)
        x = x - 1e-3 / 2 * mean + 1e-3 * math.sqrt(1 / 2) * math.sqrt(1 - 1 / (2 * j)) * noise
    assert sde.advance(sde.init(start)).theta.numpy() == pytest.approx(x.numpy(), rel=1e-12)


@pytest.mark.parametrize(
    ("nu", "factor"), [(math.inf, 1.0), (5.0, 5 / 3), (3.0, 3.0), (2.0, math.inf), (1.0, math.inf)]
)
def test_heavy_tails_have_the_variance_of_what_the_optimizer_adds(nu: float, factor: float) -> None:
    """At ν = 5 against a million of its draws, within 4 of their standard errors, 1.1 %."""
    gradient, variance = Injected(PROBLEM, S, nu)(START, torch.empty_like(START))
    assert torch.equal(gradient, PROBLEM.value_and_gradient(START)[1])
    assert variance == pytest.approx(S**2 * factor)
    if nu == 5.0:
        drawn = GradientNoise(S, 0, nu, shared=False)(0, torch.empty(1_000_000, 1, dtype=torch.float64)).square()
        assert drawn.mean().item() == pytest.approx(variance, abs=4 * drawn.std().item() / 1000)


def test_burn_in_is_the_optimizer() -> None:
    noise = GradientNoise(S, 0, shared=False)
    optimizer = Discrete(PROBLEM, Adam(lr=LR), noise=noise)
    sde = SdeAdam(Discrete(PROBLEM, Adam(lr=LR), noise=noise), Injected(PROBLEM, S), burn_in=3, substeps=4)
    real, model = optimizer.init(START), sde.init(START)
    for _ in range(3):
        real, model = optimizer.advance(real), sde.advance(model)
    for key in ("m", "v"):
        assert torch.equal(real.memory[key], model.memory[key])
    assert torch.equal(real.theta, model.theta)
    assert not torch.equal(optimizer.advance(real).theta, sde.advance(model).theta)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_state_is_all_there_is_to_go_on_from(dtype: torch.dtype) -> None:
    """In blocks of paths, too: there are more entries than fit one."""
    problem = Quadratic([1.0, 2.0], dtype=dtype)
    paths = ENTRIES // 2 + 1000
    start = problem.init(0).expand(paths, -1)

    def build() -> Sde:
        return SdeAdam(Discrete(problem, Adam(lr=LR)), Injected(problem, S))

    sde, state = build(), build().init(start)
    for _ in range(2):
        state = sde.advance(state)
    packed = copy.deepcopy(state.pack())
    ahead = sde.advance(state).theta.clone()
    again = build()
    there = again.init(start).unpack(packed)
    assert torch.equal(again.advance(there).theta, ahead)
    spread = ahead.double().std(0)
    assert (spread > 0).all()
    assert len(ahead.unique(dim=0)) > 0.99 * paths, "two paths share their noise"


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: SdeSignSGD(Discrete(PROBLEM, SignSGD()), Injected(PROBLEM, 0.0)), "noise > 0"),
        (lambda: SdeAdam(Discrete(PROBLEM, RMSprop()), Injected(PROBLEM, S)), "SDE of adam"),
        (lambda: SdeRMSprop(Discrete(PROBLEM, RMSprop()), Injected(PROBLEM, S), "lagged"), "new, prior"),
        (lambda: SdeAdam(Discrete(PROBLEM, Adam(freeze=3)), Injected(PROBLEM, S)), "optimizer.freeze"),
        (lambda: SdeAdam(Discrete(PROBLEM, Adam()), Injected(PROBLEM, S), substeps=0), "substeps=0"),
        (lambda: SdeEmpiricalSign(Discrete(PROBLEM, SignSGD()), Injected(PROBLEM, S)), "batch_size"),
    ],
)
def test_what_has_no_sde_is_refused(build: Callable[[], Sde], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        build()
