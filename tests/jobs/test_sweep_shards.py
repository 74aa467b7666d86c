"""Would catch: a point lost, computed twice or with other digits because a sweep was shared among processes."""

from __future__ import annotations

import json
import multiprocessing
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from aeos.jobs.sweep.points import Point, blocks
from aeos.jobs.sweep.shards import Shard
from aeos.launch import run
from aeos.results.lock import held
from aeos.results.parts import agree, agreed
from tests.conftest import Said
from tests.jobs.shard_runs import WORDS, computed, run_folder, shards, tables

Aeos = Callable[..., Said]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    return run("sweep_stability", [*WORDS[1:], f"out={tmp_path_factory.mktemp('whole')}"]).path


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of two shards that have finished."""
    out = tmp_path_factory.mktemp("two")
    for shard in (0, 1):
        run("sweep_stability", [*WORDS[1:], "shards=2", f"shard={shard}", f"out={out}"])
    return out


@pytest.fixture
def there(two: Path, tmp_path: Path) -> Path:
    """The folder of their run, copied to where `aeos` works."""
    shutil.copytree(two, tmp_path / "outputs")
    return run_folder(tmp_path)


def collected(aeos: Aeos, tmp_path: Path, whole: Path) -> None:
    """Collects, and compares with the run of one process."""
    there = run_folder(tmp_path)
    assert aeos("collect", str(there)).code == 0
    assert tables(there) == tables(whole)
    ours, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (there, whole))
    assert ours | {"wall_time": 0} == theirs | {"wall_time": 0}
    assert "finished already" in aeos(*WORDS).out
    assert "finished already" in aeos("collect", str(there)).out
    assert not list(there.glob("shards/*/*.csv"))


@pytest.mark.parametrize("of", [1, 4])
def test_shards_together_are_the_run_of_one_process(of: int, aeos: Aeos, tmp_path: Path, whole: Path) -> None:
    said = shards(aeos, of)
    there = run_folder(tmp_path)
    assert f"aeos collect {there.relative_to(tmp_path)}" in said[-1].out
    assert there.name == whole.name
    assert not (there / "points.csv").exists()
    assert sorted(computed(there)) == sorted(computed(whole))
    collected(aeos, tmp_path, whole)


def test_another_number_of_shards_half_way(aeos: Aeos, tmp_path: Path, whole: Path) -> None:
    """Two of three, a collect between, one of two, and the rest without shards."""
    shards(aeos, 3, range(1))
    there = run_folder(tmp_path)
    half = aeos("collect", str(there))
    assert (half.code, "6 of 12 points are missing" in half.out) == (1, True)
    assert shlex.split(half.out.splitlines()[1]) == ["aeos", *WORDS]
    assert "unfinished, 6 points" in aeos("list", "runs").out
    shards(aeos, 2, range(1, 2))
    rest = aeos(*WORDS)
    assert (rest.code, "points taken over from" in rest.out) == (0, True)
    assert sorted(computed(there)) == sorted(computed(whole))
    for name, rows in tables(whole).items():
        assert sorted(tables(there)[name]) == sorted(rows)
    assert "finished already" in aeos("collect", str(there)).out
    assert not list(there.glob("shards/*/*.csv"))


def test_a_shard_that_is_killed_and_two_at_once_of_another_number(aeos: Aeos, tmp_path: Path, whole: Path) -> None:
    def start(of: int, shard: int) -> BaseProcess:
        words = [*WORDS[1:], f"shards={of}", f"shard={shard}", f"out={tmp_path / 'outputs'}"]
        process = multiprocessing.get_context("fork").Process(target=run, args=("sweep_stability", words))
        process.start()
        return process

    first = start(2, 0)
    while not any("computed" in log.read_text() for log in tmp_path.glob("outputs/*/*/shards/0-of-2/run.log")):
        time.sleep(0.002)
    first.kill()
    first.join()
    assert first.exitcode == -signal.SIGKILL, "it ended before it was killed: make it longer"
    both = [start(3, shard) for shard in (0, 2)]
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    shards(aeos, 3, range(1, 2))
    there = run_folder(tmp_path)
    assert len(set(computed(there))) == len(computed(there)) == 12
    collected(aeos, tmp_path, whole)


def test_force_starts_over_a_shard_or_all_but_none_that_is_at_work(
    aeos: Aeos, there: Path, tmp_path: Path, whole: Path
) -> None:
    with held(there / "shards" / "1-of-2"):
        assert "another process" in aeos(*WORDS, "shards=2", "shard=1").err
        assert "another process" in aeos(*WORDS, "force=true").err
        shards(aeos, 2, range(1), "force=true")  # and computes its own points again
        assert aeos("collect", str(there)).code == 0  # the other one's files stay where they are
        assert (there / "shards" / "1-of-2" / "points.csv").is_file()
    assert len(computed(there)) == 12
    collected(aeos, tmp_path, whole)
    assert aeos(*WORDS, "force=true").code == 0
    assert not list(there.glob("shards/*/run.log"))
    assert len(computed(there)) == 12


@pytest.mark.parametrize("damage", ["points.csv", "trajectories.csv", "checkpoint.pt"])
def test_a_damaged_shard_costs_its_own_points_at_most(
    damage: str, aeos: Aeos, there: Path, tmp_path: Path, whole: Path
) -> None:
    file = there / "shards" / "0-of-2" / damage
    file.write_bytes(file.read_bytes()[:-7])
    assert "force=true" in aeos(*WORDS, "shards=2", "shard=0").err
    missing = aeos("collect", str(there))
    assert missing.code == (0 if damage == "checkpoint.pt" else 1)
    assert ("3 of 12 points are missing" in missing.out) == (damage != "checkpoint.pt")
    shards(aeos, 2, range(1), "force=true")
    collected(aeos, tmp_path, whole)


def test_the_lines_of_points_run_in_a_shell(aeos: Aeos, tmp_path: Path, whole: Path) -> None:
    said = aeos("points", *WORDS, "out=an odd place", "--shards", "2")
    assert (said.code, said.err, len(said.out.splitlines())) == (0, "", 2)
    assert list(tmp_path.iterdir()) == []
    shell = f"aeos() {{ printf '%s\\n' $# \"$@\"; }}\n{said.out}"
    words = subprocess.run(["sh", "-ec", shell], check=True, capture_output=True, text=True).stdout.splitlines()
    count = int(words[0])
    assert words[:: count + 1] == [str(count)] * 2
    assert [aeos(*words[start : start + count]).code for start in (1, count + 2)] == [0, 0]
    (there,) = tmp_path.glob("an odd place/sweep_stability/*")
    assert aeos("collect", str(there)).code == 0
    assert tables(there) == tables(whole)


def test_a_shard_on_other_data_or_with_other_blocks_is_refused(aeos: Aeos, there: Path) -> None:
    other = aeos(*WORDS, "block=2", "shards=2", "shard=1")
    assert (other.code, "block=3" in other.err) == (2, True)
    env = there / "env.json"
    env.write_text(json.dumps(json.loads(env.read_text()) | {"data": {"digest": "another"}}))
    other = aeos(*WORDS, "shards=2", "shard=1")
    assert (other.code, "data changed" in other.err, "delete" in other.err) == (2, True, True)


def test_blocks_do_not_depend_on_the_number_of_shards() -> None:
    wanted = [Point(0.9, 0.01 * k, seed) for seed in range(3) for k in range(10)]
    whole = {tuple(block) for block in blocks(wanted, (), 4)}
    for of in range(1, 12):
        shares = [Shard(number, of).share(wanted, 4) for number in range(of)]
        assert sorted(point for share in shares for point in share) == sorted(wanted)
        assert {tuple(block) for share in shares for block in blocks(share, (), 4)} <= whole | {()}


def test_who_comes_first_says_how_large_blocks_are(tmp_path: Path) -> None:
    assert agreed(tmp_path, "block") is None
    assert [agree(tmp_path, "block", size) for size in (4, 7)] == [4, 4]
    assert agreed(tmp_path, "block") == 4
