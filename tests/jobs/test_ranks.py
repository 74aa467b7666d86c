"""Catches ranks that share a run and come to other numbers than one process, speak twice, or wait for the dead."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from killed_runs import assert_same, has_checkpoint, tables

from aeos.problems.network import Network
from aeos.results.read import Run, load
from tests.conftest import Said

WORDS = ["sharpness", "data.n=300", "model.width=16", "steps=150", "dtype=float64", "optimizer.lr=0.8", "every=5"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """The run by two gloo ranks of torchrun, and what was said."""
    there = tmp_path_factory.mktemp("two")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "aeos"]
    done = subprocess.run([*command, *WORDS], cwd=there, capture_output=True, text=True, timeout=120)
    return there, Said(done.returncode, done.stdout, done.stderr)


def only(there: Path) -> Run:
    (folder,) = there.glob("outputs/*/*")
    return load(folder)


def test_two_ranks_come_to_the_numbers_of_one(
    shared: tuple[Path, Said], aeos: Callable[..., Said], tmp_path: Path
) -> None:
    there, said = shared
    alone = aeos(*WORDS)
    assert said.code == alone.code == 0, said.err
    two, one = only(there), only(tmp_path)
    assert two.path.name == one.path.name
    assert (two.env["ranks"], one.env["ranks"]) == (2, 1)
    assert len(said.out.splitlines()) == len(alone.out.splitlines()) == 2
    assert said.out.splitlines()[1] == alone.out.splitlines()[1]
    assert "reached the edge at step" in said.out
    found, wanted = tables(there), tables(tmp_path)
    assert found.keys() == wanted.keys()
    for name, table in found.items():
        for column in table.select_dtypes("number").columns.drop(["residual", "displacement"], errors="ignore"):
            np.testing.assert_allclose(table[column], wanted[name][column], rtol=1e-9)


def forked(words: Sequence[str], there: Path, broken: int | None = None) -> list[int]:
    """Two ranks, as torchrun would start them but at once; rank `broken` finds no gradient."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    there.mkdir(exist_ok=True)
    ranks = []
    for rank in range(2):
        if child := os.fork():
            ranks.append(child)
            continue
        os.chdir(there)
        os.environ.update(where, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2")
        for number, name in ((1, f"out.{rank}"), (2, f"err.{rank}")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = ["aeos", *words]
        if rank == broken:
            Network.value_and_gradient = _no_gradient  # type: ignore[method-assign]
        code = 1
        with suppress(BaseException):
            from aeos.cli import main

            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
            sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    return ranks


def _no_gradient(*args: object) -> None:
    raise ArithmeticError("no gradient")


def ended(ranks: Sequence[int], seconds: float = 60.0) -> list[int]:
    """Their exit codes, −9 where killed; none may wait for long."""
    codes, deadline = dict.fromkeys(ranks, 0), time.monotonic() + seconds
    left = set(ranks)
    while left:
        assert time.monotonic() < deadline, "a rank waits for one that is gone"
        for child in list(left):
            gone, status = os.waitpid(child, os.WNOHANG)
            if gone:
                codes[child] = os.waitstatus_to_exitcode(status)
                left.remove(child)
        time.sleep(0.01)
    return list(codes.values())


def said_by(there: Path, rank: int) -> list[str]:
    lines = (there / f"err.{rank}").read_text().splitlines()
    return [line for line in lines if line.startswith("aeos: ") or "Traceback" in line]


def test_after_the_death_of_a_rank_the_same_command_continues(shared: tuple[Path, Said], tmp_path: Path) -> None:
    there = tmp_path / "killed"
    ranks = forked([*WORDS, "checkpoint_seconds=0.01"], there)
    while not has_checkpoint(there)():
        time.sleep(0.002)
    os.kill(ranks[1], signal.SIGKILL)
    assert ended(ranks, 20) == [2, -signal.SIGKILL]
    assert said_by(there, 0) == [
        "aeos: one of the 2 processes of this run died (out of memory?): the same command continues"
    ]
    assert only(there).summary is None
    assert ended(forked(WORDS, there)) == [0, 0]
    assert "continues from its checkpoint" in (only(there).path / "run.log").read_text()
    assert (said_by(there, 1), (there / "out.1").read_text()) == ([], "")
    assert_same(there, shared[0])
    assert ended(forked(WORDS, there)) == [0, 0]
    assert "finished already" in (there / "out.0").read_text()


def test_a_rank_that_fails_alone_is_reported_once_by_the_first(tmp_path: Path) -> None:
    ranks = forked(["train", "steps=5", "dtype=float64"], tmp_path, broken=1)
    assert ended(ranks, 20) == [2, 1]
    assert said_by(tmp_path, 0) == ["aeos: rank 1: ArithmeticError: no gradient: the same command continues"]
    assert said_by(tmp_path, 1) == []


def test_a_run_goes_on_with_as_many_ranks_as_it_began_with(
    aeos: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "steps=3", "data.n=50", "batch_size=8"]
    assert ended(forked(words, tmp_path)) == [0, 0]
    (only(tmp_path).path / "done.json").unlink()
    said = aeos(*words)
    assert said.code == 2
    assert "began with torchrun --nproc-per-node 2: continue it so, or add force=true" in said.err
    assert aeos(*words, "force=true").code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("sweep-stability", "shards=N"),
        ("sde-compare", "without torchrun"),
        ("reproduce all", "workers=N"),
        ("collect .", "without torchrun"),
        ("train -m seed=0,1", "without -m"),
    ],
)
def test_what_cannot_be_shared_is_refused_in_one_line(
    words: str, says: str, aeos: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RANK", "0"), ("LOCAL_RANK", "0"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    said = aeos(*words.split())
    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert says in said.err
    assert list(tmp_path.iterdir()) == []
