"""Catches a product that takes more memory than its budget, or is another one for being taken in pieces."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from torch import Tensor

from aeos.curvature import Hessian, third_derivatives
from aeos.dynamics.discrete import hessian_of
from aeos.errors import BadInput
from aeos.jobs.memory import ROOM, Live, fit
from aeos.problems.build import build_problem
from aeos.problems.network import Network
from tests.conftest import Said, composed

MIB = 1 << 20

#: The rise of a process's memory in a product over all samples, by budget; each in a fork with a heap as it began.
PEAKS = """
import json, os, sys
import torch
from aeos.dynamics.discrete import hessian_of
from aeos.jobs.memory import fit
from aeos.problems.build import build_problem
from tests.conftest import composed

def status(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))

torch.set_num_threads(1)
net = build_problem(composed("data=mnist5k", "model=cnn", "batch_size=null", "data.n=400"))
theta, chunk = net.init(0), net.chunk
fit(net, 1.0)
peaks = []
for budget in map(float, sys.argv[1:]):
    reader, writer = os.pipe()
    if not os.fork():
        net.chunk = chunk
        fit(net, budget)
        open("/proc/self/clear_refs", "w").write("5")
        before = status("VmRSS")
        hessian_of(net, theta)(theta)
        os.write(writer, json.dumps([status("VmHWM") - before, net.chunk]).encode())
        os._exit(0)
    os.wait()
    peaks.append(json.loads(os.read(reader, 99)))
print(json.dumps(peaks))
"""


def convolutional(*words: str) -> Network:
    found = build_problem(composed("model=cnn", "batch_size=null", "dtype=float64", "data.n=200", *words))
    assert isinstance(found, Network)
    return found


def product(net: Network, theta: Tensor, deep: bool = False) -> tuple[Hessian, Tensor]:
    hessian = hessian_of(net, theta)
    return hessian, third_derivatives(hessian, theta[None])[0] if deep else hessian(theta)


def test_the_process_grows_by_no_more_than_the_budget() -> None:
    budgets = (0.1, 0.2)
    done = subprocess.run(
        [sys.executable, "-c", PEAKS, *map(str, budgets)], capture_output=True, text=True, timeout=120, check=True
    )
    (small, few), (large, many) = json.loads(done.stdout)
    assert 0.3 * 0.1 * 2**30 < small < 0.1 * 2**30
    assert 0.3 * 0.2 * 2**30 < large < 0.2 * 2**30
    assert few < many


@pytest.mark.parametrize("deep", [False, True])
def test_live_tensors_keep_to_what_was_planned(deep: bool) -> None:
    net = convolutional()
    theta = net.init(0)
    net.chunk = None
    _, whole = product(net, theta, deep)
    for budget in (10, 20, 400):
        net.chunk = 200
        fit(net, budget / 1024, deep=deep)
        with Live() as live:
            hessian, found = product(net, theta, deep)
        assert live.peak < ROOM["cpu"] * budget * MIB
        assert live.peak > 0.6 * ROOM["cpu"] * budget * MIB or (net.chunk, net.graphs, budget) == (200, 1, 400)
        assert ((found - whole).norm() / whole.norm()).item() < 1e-12
        del hessian


def test_graphs_are_kept_where_all_of_them_fit() -> None:
    net = convolutional()
    net.chunk = 20
    fit(net, 0.22 / ROOM["cpu"])
    assert (net.chunk, net.graphs) == (20, 10)
    fit(net, 0.011 / ROOM["cpu"])
    assert (net.chunk, net.graphs) == (20, 1)
    fit(net, 0.0023 / ROOM["cpu"])
    assert (net.graphs, net.evaluated) == (1, net.chunk)
    assert net.chunk < 20


def test_everything_counted_is_forgotten_when_it_goes() -> None:
    net = convolutional()
    theta = net.init(0)
    with Live() as live:
        kept = product(net, theta)
        assert live.now > MIB
        del kept
        gc.collect()
        assert live.now == 0
    assert live.peak > MIB


def test_more_hessians_at_once_have_a_share_each() -> None:
    net = convolutional()
    fit(net, 0.01)
    one = net.chunk
    net.chunk = 200
    fit(net, 0.02, held=2)
    assert one == net.chunk
    assert one < 200


def test_what_cannot_fit_is_one_line(aeos: Callable[..., Said]) -> None:
    with pytest.raises(BadInput, match=r"memory_gb=1e-05: a product over a single sample takes 0\.00\d+; set at least"):
        fit(convolutional(), 1e-5)
    normed = build_problem(composed("model=resnet", "model.width=4", "model.norm=batch", "data.n=64"))
    with pytest.raises(BadInput, match=r"memory_gb=0\.001: a product over the whole batch, which") as told:
        fit(normed, 0.001)
    fit(normed, float(str(told.value).split("takes ")[1].split(";")[0]) * 1.1)
    assert normed.chunk is None
    said = aeos("flow-compare", "memory_gb=1e-5", "steps=2")
    assert (said.code, len(said.err.splitlines())) == (2, 1)
