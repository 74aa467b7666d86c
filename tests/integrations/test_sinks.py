"""Would catch: what TensorBoard or W&B themselves make of our rows, print, leave running, or break."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto.wandb_internal_pb2 import Record

from aeos.results.folder import RunFolder
from tests.conftest import Said, composed

WORDS = ("train", "problem=teacher", "batch_size=16", "steps=40", "every=10", "sharpness.every=20", "sharpness.top=2")
SINKS = "sinks=[tensorboard,wandb]"
BLOCK = 2**15  # a file of W&B is a LevelDB log: 7 bytes, then blocks of records (crc, length, part), none across blocks


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B keeps logs of its service in the user's cache."""
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("WANDB_MODE", raising=False)


def records(run: Path) -> list[Record]:
    """All of them, once its service, which does not make a run wait for it, has written the last one."""
    return until(lambda: found if (found := list(written(run)))[-1:] and found[-1].HasField("exit") else None)


def until(happened: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (value := happened()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def written(run: Path) -> Iterator[Record]:
    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    content, at, parts = file.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, size, part = struct.unpack("<IHB", content[at : at + 7])
        parts += content[at + 7 : at + 7 + size]
        at += 7 + size
        if part in (1, 4):  # whole, or the last of several
            yield Record.FromString(parts)
            parts = b""


def history(run: Path) -> list[dict[str, float]]:
    """Its rows: {metric: value}."""
    rows = [record.history for record in records(run) if record.WhichOneof("record_type") == "history"]
    return [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row.item} for row in rows]


def curves(run: Path) -> dict[str, list[tuple[int, float]]]:
    board = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    return {tag: [(e.step, e.value) for e in board.Scalars(tag)] for tag in board.Tags()["scalars"]}


def expected(run: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves of a training with one process, from its tables."""
    found: dict[str, list[tuple[int, float]]] = {}
    for name in ("metrics", "sharpness", "eigenvalues"):
        for row in pd.read_csv(run / f"{name}.csv").to_dict("records"):
            end = f"/{row.pop('operator')}/index={row.pop('index')}" if name == "eigenvalues" else ""
            step = row.pop("step")
            del row["process"]
            for column, value in row.items():
                if not np.isnan(value):
                    found.setdefault(f"{name}/{column}{end}", []).append((step, value))
    return found


def test_both_have_what_the_tables_have(aeos: Callable[..., Said], tmp_path: Path) -> None:
    plain, said = aeos(*WORDS), aeos(*WORDS, SINKS, "force=true")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[1:] == plain.out.splitlines()[1:]
    assert {path.name for path in tmp_path.iterdir()} <= {"outputs", "cache"}
    (run,) = tmp_path.glob("outputs/train/*")
    told = expected(run)
    assert len(told) >= 20
    drawn = curves(run)
    assert drawn.keys() == told.keys()
    for tag, points in told.items():
        assert [step for step, _ in drawn[tag]] == [step for step, _ in points]
        assert np.array_equal(np.float32([v for _, v in drawn[tag]]), np.float32([v for _, v in points])), tag
    rows = history(run)
    for tag, points in told.items():
        table = tag.partition("/")[0]
        assert [(row[f"{table}/step"], row[tag]) for row in rows if tag in row] == points
    assert [row["_step"] for row in rows] == list(range(len(rows)))


def test_wandb_knows_the_run_and_the_axis_of_each_table(aeos: Callable[..., Said], tmp_path: Path) -> None:
    assert aeos(*WORDS, SINKS).code == 0
    (run,) = tmp_path.glob("outputs/train/*")
    kinds = {record.WhichOneof("record_type"): record for record in records(run)}
    about = kinds["run"].run
    assert (about.run_id, about.display_name, about.project) == (run.name.rpartition("-")[2], run.name, "aeos")
    config = {item.key: json.loads(item.value_json) for item in about.config.update}
    assert (config["steps"], config["problem"]["name"]) == (40, "teacher")
    axes = {r.metric.glob_name: r.metric.step_metric for r in records(run) if r.WhichOneof("record_type") == "metric"}
    del axes[""]
    assert axes == {f"{name}/*": f"{name}/step" for name in ("metrics", "sharpness", "eigenvalues")}


def test_a_mode_of_ones_own_is_kept_to(aeos: Callable[..., Said], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    said = aeos(*WORDS, SINKS)
    assert (said.code, said.err) == (0, "")
    assert list(tmp_path.glob("outputs/train/*/wandb/*")) == []


def test_after_a_kill_no_point_is_doubled_also_for_who_looks_on(tmp_path: Path) -> None:
    folder = RunFolder("train", composed("problem=quadratic", f"out={tmp_path}", SINKS))
    rows = [{"step": step, "process": "gd", "train_loss": 1.0 / (1 + step)} for step in range(9)]
    board = EventAccumulator(str(folder.path / "tensorboard"), size_guidance={"scalars": 0})
    for begin, vouched, reached in ((0, 3, 6), (3, 7, 8), (7, 9, 9)):
        with folder.opened({}) as recorder:
            for step in range(begin, reached):
                if step == vouched:
                    recorder.save({})
                recorder.write("metrics", rows[step])
            if reached == vouched:
                recorder.save({})
            board.Reload()
        board.Reload()
        points = [(row["step"], np.float32(row["train_loss"])) for row in rows[:reached]]
        assert [(e.step, np.float32(e.value)) for e in board.Scalars("metrics/train_loss")] == points
        assert curves(folder.path)["metrics/train_loss"] == points
    logged = [(row["metrics/step"], row["metrics/train_loss"]) for row in history(folder.path)]
    assert logged == [(row["step"], row["train_loss"]) for row in rows]


def services(run: int) -> list[int]:
    """The processes of W&B that serve this one."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"wandb-core") and str(run).encode() in words:
            found.append(int(file.parent.name))
    return found


@pytest.mark.parametrize("killed", ["nothing", "the run", "the service of W&B"])
def test_nothing_is_left_running_and_nobody_drags_the_other_along(killed: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "aeos", *WORDS, SINKS, "steps=1000000", "every=200", "sharpness.every=null"]
    if killed != "the run":
        words.append("steps=8000")
    shared = "WANDB_SERVICE"  # where this process has one, its children use it too
    env = {name: value for name, value in os.environ.items() if name != shared}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    run = subprocess.Popen(words, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: list(tmp_path.glob("outputs/train/*/metrics.csv")))
        (service,) = until(lambda: services(run.pid))
        if killed != "nothing":
            os.kill(run.pid if killed == "the run" else service, signal.SIGKILL)
        _, err = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode == (-signal.SIGKILL if killed == "the run" else 0)
    until(lambda: not services(run.pid))
    if killed == "the service of W&B":
        assert err.startswith("aeos: sinks: wandb failed (")
        assert err.endswith(") and is left out; the tables have every row\n")
        assert err.count("\n") == 1
        (folder,) = tmp_path.glob("outputs/train/*")
        assert curves(folder)["metrics/train_loss"][-1][0] == 8000
    else:
        assert err == ""
