"""Would catch: a setting of noise, start or method that never reaches the processes."""

from __future__ import annotations

import hydra
import pytest
import torch

from aeos import schema
from aeos.dynamics import Discrete, Sde, SdeEmpiricalSign
from aeos.dynamics.sde import Injected, Minibatch
from aeos.jobs.sde.processes import build_processes, second_moment
from aeos.paths import conf_dir
from aeos.problems.build import build_problem


def built(*words: str) -> tuple[Discrete, list[Sde]]:
    schema.register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = hydra.compose("sde_compare", list(words))
    problem = build_problem(config)
    return build_processes(config, problem, problem.init(config.seed))


def test_noise_and_seed_are_the_ones_that_are_set() -> None:
    optimizer, sdes = built("noise=0.3", "nu=5", "seed=4", "substeps=2", "burn_in=7", "optimizer.lr=0.02")
    assert optimizer.noise is not None
    assert (optimizer.noise.scale, optimizer.noise.nu, optimizer.noise.seed, optimizer.noise.shared) == (
        0.3,
        5,
        4,
        False,
    )
    assert [sde.name for sde in sdes] == ["new", "prior"]
    for sde in sdes:
        assert isinstance(sde.gradient, Injected)
        assert (sde.gradient.scale, sde.gradient.nu) == (0.3, 5)
        assert (sde.substeps, sde.burn_in, sde.seed, sde.rule.lr) == (2, 7, 4, 0.02)
    assert built("noise=0")[0].noise is None


def test_minibatches_are_each_paths_own_and_come_with_their_noise() -> None:
    words = ("problem=teacher", "batch_size=8", "paths=3", "noise=0.1")
    optimizer, (sde,) = built(*words, "optimizer=signsgd", "sdes=[empirical]", "signs=5")
    assert optimizer.batches is not None
    assert optimizer.batches.indices(0).shape == (3, 8)
    assert isinstance(sde, SdeEmpiricalSign)
    assert (sde.signs, sde.form) == (5, "empirical")
    assert isinstance(sde.gradient, Minibatch)
    assert (sde.gradient.batch_size, sde.gradient.scale) == (8, 0.1)


@pytest.mark.parametrize("start", ["zero", "signal"])
def test_the_second_moment_starts_where_it_is_told_for_all(start: str) -> None:
    optimizer, sdes = built(f"start={start}", "optimizer.bias_correction=false", "noise=0.5", "dtype=float64")
    theta = optimizer.problem.init(0).expand(4, -1)
    wanted = torch.tensor([1.0, 4.0], dtype=torch.float64) + 0.25 if start == "signal" else torch.zeros(2)
    for process in (optimizer, *sdes):
        found = process.init(theta).memory["v"]
        torch.testing.assert_close(found, wanted.to(found).expand(4, -1))
    gradient = Injected(optimizer.problem, 0.5)
    torch.testing.assert_close(second_moment(gradient, theta[0]), torch.tensor([1.25, 4.25], dtype=torch.float64))
