"""Catches an LSTM that is not torch's, a Mamba block that is not its recurrence, a model that sees the future."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from problem_cases import CASES, SORTING, TEXT, Case, directions, problem, relative
from torch import Tensor, nn
from torch.func import grad, jvp, vmap

from aeos.problems.data.load import load
from aeos.problems.models import state_space
from aeos.problems.models.build import build, seeded
from aeos.problems.models.recurrent import LSTMLayer
from aeos.problems.models.state_space import Mixer, selective_scan
from aeos.schema import problem as schema

MODELS = [schema.LSTM(width=8, depth=2), schema.Mamba(width=8, state=3)]
BOTH = [case for case in CASES if case.model.name in ("lstm", "mamba")]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_lstm_layers_are_torchs() -> None:
    """Values and first derivatives; torch's own parameters of layer k end in _lk, W_x, W_h, b_x, b_h in this order."""
    width, depth = 6, 2
    theirs = nn.LSTM(width, width, depth, batch_first=True).double()
    ours = nn.Sequential(*(LSTMLayer(width) for _ in range(depth))).double()
    values = [drawn(*p.shape, seed=seed) / 2 for seed, p in enumerate(theirs.parameters())]
    pairs: list[tuple[nn.Parameter, nn.Parameter]] = []
    for k, layer in enumerate(ours):
        mine = (layer.inputs.weight, layer.hidden.weight, layer.inputs.bias, layer.hidden.bias)
        pairs += zip(mine, theirs.all_weights[k], strict=True)
    with torch.no_grad():
        for (mine, yours), value in zip(pairs, values, strict=True):
            mine.copy_(value)
            yours.copy_(value)
    x, weights = drawn(3, 12, width, seed=100).requires_grad_(), drawn(3, 12, width, seed=101)
    outputs = ours(x), theirs(x)[0]
    assert relative(*outputs) < 1e-12
    one, other = (
        torch.autograd.grad((output * weights).sum(), [x, *parameters])
        for output, parameters in zip(outputs, zip(*pairs, strict=True), strict=True)
    )
    for slope, true in zip(one, other, strict=True):
        assert relative(slope, true) < 1e-12


def test_lstm_starts_as_torchs_does() -> None:
    """U(−1/√w, 1/√w), variance 1/3w: 4 standard errors √(4/5N) of N draws; N of the smallest is 256."""
    model = seeded(lambda: build(schema.LSTM(width=64, depth=2), load(SORTING)), 0)
    parameters = list(model.layers.parameters())
    assert [tuple(p.shape) for p in parameters] == [(256, 64), (256,)] * 4
    for scaled in (p * 8 for p in parameters):
        assert 0.95 < scaled.abs().max() <= 1
        assert abs(3 * scaled.square().mean() - 1) < 4 * (0.8 / scaled.numel()) ** 0.5


def test_scan_is_the_sum_over_the_past() -> None:
    """y_t = Σ_{s≤t} Σₙ C_tn exp(Aₙ Σ_{s<r≤t} Δ_r) B_sn Δ_s x_s, at the longest length it is meant for"""
    t, channels, n = 64, 4, 3
    x, write, read = drawn(2, t, channels, seed=1), drawn(2, t, n, seed=2), drawn(2, t, n, seed=3)
    step, rates = drawn(2, t, channels, seed=4).exp() / 10, -drawn(channels, n, seed=5).exp()
    elapsed = step.cumsum(1)
    ages = elapsed[:, :, None] - elapsed[:, None]  # (b, t, s, channels)
    kept = (ages[..., None] * rates).exp() * torch.ones(t, t, dtype=torch.float64).tril()[..., None, None]
    true = torch.einsum("btn,btscn,bsn,bsc->btc", read, kept, write, step * x)
    assert relative(selective_scan(x, step, rates, write, read), true) < 1e-12


def slow_mixer(mixer: Mixer, u: Tensor, rank: int, state: int) -> Tensor:
    """One sample u (t, width), one channel, one position after the other."""
    x, z = (u @ mixer.enter.weight.T).chunk(2, -1)
    taps, past = mixer.convolution.weight[:, 0], torch.zeros_like(x[0])
    lags = range(taps.shape[1])
    convolved = torch.stack(
        [
            mixer.convolution.bias + sum(taps[:, -1 - lag] * (x[t - lag] if t >= lag else past) for lag in lags)
            for t in range(len(x))
        ]
    )
    x = convolved * convolved.sigmoid()
    numbers = x @ mixer.select.weight.T
    steps = (1 + (numbers[:, :rank] @ mixer.step.weight.T + mixer.step.bias).exp()).log()
    writes, reads = numbers[:, rank : rank + state], numbers[:, rank + state :]
    y = torch.empty_like(x)
    for channel in range(x.shape[1]):
        rates, h = -mixer.log_rates[channel].exp(), torch.zeros(state, dtype=torch.float64)
        for t, step in enumerate(steps[:, channel]):
            h = (step * rates).exp() * h + step * writes[t] * x[t, channel]
            y[t, channel] = reads[t] @ h + mixer.skip[channel] * x[t, channel]
    return (y * z * z.sigmoid()) @ mixer.leave.weight.T


@torch.no_grad()
@pytest.mark.parametrize(("width", "rank"), [(5, 1), (17, 2)])
def test_mixer_is_its_recurrence(width: int, rank: int) -> None:
    mixer = Mixer(schema.Mamba(width=width, state=3, kernel=3)).double()
    for seed, parameter in enumerate(mixer.parameters()):
        parameter.copy_(drawn(*parameter.shape, seed=seed) / 2)
    u = drawn(2, 7, width, seed=50)
    true = torch.stack([slow_mixer(mixer, sample, rank, 3) for sample in u])
    assert relative(mixer(u), true) < 1e-12


def test_mixers_start_with_the_published_rates_and_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Δ at zero input log-uniform in [0.001, 0.1]: log₁₀ has mean −2, standard deviation 1/√3; 4 standard errors."""
    mixer = seeded(lambda: Mixer(schema.Mamba(width=64, state=5)), 0)
    steps = nn.functional.softplus(mixer.step.bias).log10()
    assert -3.0001 < steps.min() < -2.9
    assert -1.1 < steps.max() < -0.9999
    assert abs(steps.mean() + 2) < 4 * (1 / 3 / 128) ** 0.5
    torch.testing.assert_close(mixer.log_rates.exp(), torch.arange(1.0, 6).expand(128, 5))
    assert torch.equal(mixer.skip, torch.ones(128))
    monkeypatch.setattr(state_space, "STEPS", (0.5, 0.5))
    torch.testing.assert_close(nn.functional.softplus(Mixer(schema.Mamba()).step.bias), torch.full((64,), 0.5))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_neither_sees_the_future(model: Any) -> None:
    data = load(TEXT)
    network = seeded(lambda: build(model, data), 0)
    one, other = data.x_train[:1], data.x_train[:1].clone()
    other[0, 2] = (other[0, 2] + 1) % data.classes
    difference = (network(one) - network(other)).abs().sum(-1)[0]
    assert network(one).shape == (1, 5, data.classes)
    assert (difference[:2] == 0).all()
    assert (difference[2:] > 0).all()


@pytest.mark.parametrize("case", BOTH, ids=str)
def test_second_and_third_derivatives_of_many_directions_at_once_are_those_one_by_one(case: Case) -> None:
    it = problem(case)
    theta, U = it.init(1), torch.stack(directions(it, 3))

    def second(u: Tensor) -> Tensor:
        return jvp(grad(it.loss), (theta,), (u,))[1]

    def third(u: Tensor) -> Tensor:
        return grad(lambda a: jvp(lambda b: jvp(it.loss, (b,), (u,))[1], (a,), (u,))[1])(theta)

    for derivative in (second, third):
        for found, u in zip(vmap(derivative)(U), U, strict=True):
            assert relative(found, derivative(u)) < 1e-12
