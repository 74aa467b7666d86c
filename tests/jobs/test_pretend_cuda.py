"""Catches a job that on a GPU would mix devices, ask it for NumPy arrays, or leave part of its work on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from killed_runs import tables
from pretend_cuda import CUDA, Pretend, pretended

from aeos.curvature.krylov import Krylov
from aeos.dynamics import Simulation
from tests.conftest import Said

ROUNDING = ["residual", "displacement"]  # what is nothing else
JOBS = {
    "network": "train steps=4 every=2 data.n=40 batch_size=8 optimizer=kadam",
    "sharpness": "sharpness steps=6 every=2 data.n=40 optimizer=adam sharpness.top=2 sharpness.at=midpoints "
    "sharpness.critical=true full_batch=null",
    "cubic": "sharpness steps=4 every=2 data.n=40 self_stabilization.every=2",
    "norms": "train problem=language model.qk_norm=true model.width=8 data.n=4 steps=4 every=2 "
    "scale_invariance.every=2 scale_invariance.lags=[0,1]",
    "flows": "flow-compare problem=edge data.n=40 model.width=6 optimizer=rmsprop steps=4 rest.every=4 "
    "sharpness.every=2 flows=[midpoint,stable_flow,central_flow] substeps=1",
    "adam": "flow-compare problem=teacher steps=4",
    "gd": "flow-compare problem=edge data.n=40 model.width=6 optimizer=gd optimizer.lr=1 steps=4",
    "paths": "sde-compare paths=4 steps=4 optimizer=rmsprop",
    "sweep": "sweep-stability data.n=40 curve.points=3 steps=6 workers=0 block=3",
}


def test_it_refuses_what_a_gpu_would(monkeypatch: pytest.MonkeyPatch) -> None:
    with pretended(monkeypatch):
        x, y = torch.ones(3, device="cuda"), torch.ones(3)
        assert (x.device, y.device, (2 * x).device) == (CUDA, torch.device("cpu"), CUDA)
        assert (x.cpu().device, x.to(y).device, y.to(x).device) == (y.device, y.device, CUDA)
        for mixed in (lambda: x + y, lambda: y @ x, lambda: torch.cat([x, y]), lambda: y[x > 0]):
            with pytest.raises(RuntimeError, match="same device"):
                mixed()
        with pytest.raises(TypeError, match="numpy"):
            x.numpy()


@pytest.mark.parametrize("name", JOBS)
def test_a_job_gives_on_a_gpu_what_it_gives_on_a_cpu(
    name: str, aeos: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = JOBS[name].split()
    there, here = tmp_path / "there", tmp_path / "here"
    for folder in (there, here):
        folder.mkdir()
    monkeypatch.chdir(here)
    words += ["threads=1", "dtype=float64"]
    said = aeos(*words)
    assert said.code == 0, said.err
    monkeypatch.chdir(there)
    bases = []
    init = Krylov.__init__
    monkeypatch.setattr(Krylov, "__init__", lambda self, *args: (init(self, *args), bases.append(self.basis))[0])
    save, left = Simulation._save, iter([True])

    def interrupted(self: Simulation, elapsed: float) -> None:
        save(self, elapsed)
        if self.step >= 3 and next(left, False):
            raise KeyboardInterrupt

    monkeypatch.setattr(Simulation, "_save", interrupted)
    with pretended(monkeypatch):
        codes = [aeos(*words, "device=cuda", "checkpoint_seconds=1e-9") for _ in range(2)]
    assert [said.code for said in codes] == [130, 0], codes
    assert all(isinstance(basis, Pretend) for basis in bases)
    found, wanted = tables(there), tables(here)
    assert found.keys() == wanted.keys()
    for table, rows in found.items():  # not to the bit: products depend on how memory is aligned
        one, other = (each.drop(columns=ROUNDING, errors="ignore") for each in (rows, wanted[table]))
        pd.testing.assert_frame_equal(one, other, rtol=1e-6, atol=1e-9)
