"""Checkpoints: bit-exact, whole or absent, and never a way to run code."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from aeos.errors import BadInput
from aeos.results import atomic, checkpoint


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def test_round_trip_is_bit_exact(tmp_path: Path) -> None:
    content = {"step": 3, "theta": torch.randn(7, dtype=torch.float64), "memory": {"v": torch.tensor([1e-45, -0.0])}}
    checkpoint.save(tmp_path / "c.pt", content)
    loaded = checkpoint.load(tmp_path / "c.pt")
    assert loaded is not None
    assert loaded["step"] == 3
    assert torch.equal(loaded["theta"], content["theta"])
    assert torch.equal(loaded["memory"]["v"].view(torch.int32), content["memory"]["v"].view(torch.int32))


def test_none_when_there_is_none(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path / "c.pt") is None


@pytest.mark.parametrize("raw", [b"", b"not a checkpoint", pickle.dumps(Evil())])
def test_a_damaged_or_hostile_file_is_refused_and_nothing_runs(
    tmp_path: Path, raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.pt").write_bytes(raw)
    with pytest.raises(BadInput, match="force=true"):
        checkpoint.load(tmp_path / "c.pt")
    assert not (tmp_path / "executed").exists()


def test_a_hostile_object_inside_a_true_checkpoint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"content": Evil()}, tmp_path / "c.pt")
    with pytest.raises(BadInput, match="damaged"):
        checkpoint.load(tmp_path / "c.pt")
    assert not (tmp_path / "executed").exists()


def test_a_write_that_fails_half_way_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "f"
    atomic.write_text(path, "old")

    def fail(file: object) -> None:
        file.write(b"ne")  # type: ignore[attr-defined]
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomic.write(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


WRITER = """
import sys, time
from pathlib import Path
from aeos.results import atomic

def fill(file):
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.readline()

atomic.write(Path("f"), fill)
"""


def test_what_a_kill_left_goes_with_the_next_write_and_what_another_writes_stays(tmp_path: Path) -> None:
    path, writers = tmp_path / "f", []
    for _ in range(2):
        command = [sys.executable, "-c", WRITER]
        writers.append(subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert writers[-1].stdout.readline() == b"writing\n"
    killed, living = writers
    killed.kill()
    killed.communicate()
    assert len(os.listdir(tmp_path)) == 2
    atomic.write_text(path, "mine")
    assert sorted(os.listdir(tmp_path)) == [f".f.{living.pid}.tmp", "f"]
    living.communicate(b"\n")
    assert (living.returncode, path.read_text(), os.listdir(tmp_path)) == (0, "half", ["f"])
