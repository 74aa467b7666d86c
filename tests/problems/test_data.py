"""Catches a data set that is split, relabelled, scaled or identified wrongly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aeos.errors import BadInput
from aeos.problems.data.dataset import IGNORED, Labelled, prepare, relabel
from aeos.problems.data.load import load
from aeos.schema import problem as schema


def named(count: int = 100) -> Labelled:
    """Samples whose label is their number, so that a split can be read off."""
    return Labelled("table", np.arange(2.0 * count).reshape(count, 2) ** 2, np.arange(count))


@pytest.mark.parametrize(
    ("cfg", "kind", "shape", "train", "test", "classes"),
    [
        (schema.Digits(), "image", (1, 8, 8), 1000, 797, 10),
        (schema.BreastCancer(), "table", (30,), 400, 169, 2),
        (schema.Mnist5k(), "image", (1, 28, 28), 4000, 1000, 10),
        (schema.Digits(n=None, test=100), "image", (1, 8, 8), 1697, 100, 10),
        (schema.Digits(n=None), "image", (1, 8, 8), 1797, 0, 10),
        (schema.Digits(n=300, classes=4), "image", (1, 8, 8), 300, 420, 4),
        (schema.Text(), "sequence", (32,), 2000, 200, None),
        (schema.Sorting(), "sequence", (15,), 1000, 200, 4),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_embedded_sets_have_their_shapes(
    cfg: Any, kind: str, shape: tuple[int, ...], train: int, test: int, classes: int | None, dtype: torch.dtype
) -> None:
    data = load(cfg, dtype)
    assert (data.kind, data.shape, len(data.x_train), len(data.x_test)) == (kind, shape, train, test)
    assert data.classes == classes or (classes is None and data.classes > 50)
    assert data.x_train.dtype == data.x_test.dtype == (torch.int64 if kind == "sequence" else dtype)
    for y, x in ((data.y_train, data.x_train), (data.y_test, data.x_test)):
        assert y.dtype == torch.int64
        assert len(y) == len(x)
        assert ((y == IGNORED) | ((y >= 0) & (y < data.classes))).all()


@settings(deadline=None)
@given(n=st.integers(1, 60), test=st.integers(1, 40), seed=st.integers(0, 9), classes=st.none() | st.just(100))
def test_training_and_test_samples_are_disjoint_and_a_smaller_n_is_a_part(
    n: int, test: int, seed: int, classes: int | None
) -> None:
    cfg = schema.Labelled(n=n, test=test, seed=seed, classes=classes)
    data = prepare(cfg, named(), torch.float64)
    train, held_out = set(data.y_train.tolist()), set(data.y_test.tolist())
    assert len(train) == n
    assert len(held_out) == test
    assert not train & held_out
    part = prepare(replace(cfg, n=(n + 1) // 2), named(), torch.float64)
    assert torch.equal(part.y_train, data.y_train[: (n + 1) // 2])


def test_labels_stay_with_their_samples() -> None:
    data = prepare(schema.Labelled(n=60, seed=3), named(), torch.float64)
    raw = torch.from_numpy(named().x)
    x, y = torch.cat([data.x_train, data.x_test]), torch.cat([data.y_train, data.y_test])
    mean = raw[data.y_train].mean(0)
    torch.testing.assert_close(x, (raw[y] - mean) / (raw[data.y_train] - mean).square().mean(0).sqrt())


@pytest.mark.parametrize("cfg", [schema.Digits(), schema.Mnist5k(n=500), schema.BreastCancer()], ids=lambda c: c.name)
def test_inputs_are_centred_per_feature_and_scaled_by_the_training_set(cfg: Any) -> None:
    x = load(cfg, torch.float64).x_train
    torch.testing.assert_close(x.mean(0), torch.zeros_like(x[0]), rtol=0, atol=1e-12)
    each = x.square().mean(0)
    if cfg.name == "breast_cancer":
        torch.testing.assert_close(each, torch.ones_like(each))
    else:
        assert each.mean().item() == pytest.approx(1, rel=1e-12)
        assert each.min() == 0
    torch.testing.assert_close(load(cfg, torch.float32).x_train, x.float(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.4, 1.0])
def test_label_noise_redraws_that_fraction_uniformly(fraction: float) -> None:
    y = np.zeros((500, 20), dtype=np.int64)
    y[:, :10] = IGNORED
    cfg = schema.Data(label_noise=fraction)
    many = relabel(y, 10**9, cfg)
    assert (many[:, :10] == IGNORED).all()
    assert (many[:, 10:] != 0).sum() == round(fraction * 5000)
    few = relabel(y, 4, cfg)[:, 10:]
    drawn = np.bincount(few.ravel(), minlength=4)[1:]
    assert np.abs(drawn - fraction * 1250).max() <= 5 * (fraction * 5000 * 3 / 16) ** 0.5
    assert (y[:, 10:] == 0).all()


def test_only_training_labels_are_noisy() -> None:
    clean, noisy = load(schema.Digits()), load(schema.Digits(label_noise=0.4))
    assert torch.equal(clean.x_train, noisy.x_train)
    assert torch.equal(clean.y_test, noisy.y_test)
    changed = (clean.y_train != noisy.y_train).sum().item()
    assert 320 < changed <= 400  # 400 redrawn, a tenth of them to what they were


def test_digest_is_of_what_is_trained_on(tmp_path: Path) -> None:
    base = schema.Digits(n=50, test=20)
    assert load(base).digest == load(base, torch.float64).digest == load(replace(base)).digest
    others = [replace(base, **change) for change in ({"seed": 1}, {"n": 51}, {"test": 21}, {"label_noise": 0.5})]
    assert len({load(cfg).digest for cfg in (base, *others)}) == 5
    paths = [tmp_path / name for name in ("a", "b")]
    for path, text in zip(paths, ("abcd" * 300, "abce" * 300), strict=True):
        path.write_text(text)
    a, b = (load(schema.Text(n=9, test=2, context=11, path=str(path))) for path in paths)
    assert torch.equal(a.x_train, b.x_train)
    assert a.digest != b.digest


def test_text_is_read_in_windows_that_share_nothing(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    corpus = "".join(chr(1000 + i) for i in range(1205))
    path.write_text(corpus, encoding="utf-8")
    data = load(schema.Text(n=70, test=30, context=9, path=str(path)))
    assert data.classes == 1205
    symbols = sorted(corpus)
    windows = torch.cat([data.x_train, data.y_train[:, -1:]], 1), torch.cat([data.x_test, data.y_test[:, -1:]], 1)
    train, test = (["".join(symbols[i] for i in row) for row in part.tolist()] for part in windows)
    assert torch.equal(data.x_train[:, 1:], data.y_train[:, :-1])
    assert "".join(test) == corpus[900:1200]
    assert all(corpus.index(window) % 10 == 0 for window in train)
    assert len(set(train)) == 70
    assert max(map(corpus.index, train)) < 900
    cut = load(schema.Text(n=70, test=30, context=9, path=str(path), characters=1000))
    assert cut.classes == 1000


def test_default_text_is_the_standard_library_up_to_the_number_of_characters() -> None:
    """Its first module in order is __future__.py."""
    import __future__

    corpus = Path(__future__.__file__).read_text(encoding="utf-8")[:2000]
    data = load(schema.Text(n=10, test=None, context=19, characters=2000))
    symbols = sorted(set(corpus))
    assert data.classes == len(symbols)
    assert len(data.x_test) == 90
    assert "".join(symbols[i] for i in data.x_test[-1].tolist()) == corpus[1980:1999]
    assert data.digest == load(schema.Text(n=10, test=None, context=19, characters=2000)).digest


def test_sorting_asks_for_the_symbols_in_order() -> None:
    data = load(schema.Sorting(n=50, test=20, alphabet=5, length=4))
    x, y = torch.cat([data.x_train, data.x_test]), torch.cat([data.y_train, data.y_test])
    assert x.shape == y.shape == (70, 7)
    given, ordered = x[:, :4], x[:, :4].sort(1).values
    assert torch.equal(x[:, 4:], ordered[:, :-1])
    assert torch.equal(y[:, 3:], ordered)
    assert (y[:, :3] == IGNORED).all()
    assert len({tuple(row) for row in given.tolist()}) == 70


def test_sorting_can_use_every_sequence_once() -> None:
    data = load(schema.Sorting(n=None, test=8, alphabet=3, length=3))
    rows = torch.cat([data.x_train, data.x_test])[:, :3]
    assert len(data.x_train) == 19
    assert len({tuple(row) for row in rows.tolist()}) == 27


@pytest.mark.parametrize(
    ("cfg", "says"),
    [
        (schema.Digits(n=1500, test=400), r"data.n=1500 and data.test=400: data=digits has 1797 samples"),
        (schema.Digits(n=1798), r"data.n=1798 .* 1797 samples"),
        (schema.Digits(n=None, test=1797), r"data.n=None .* 1797 samples"),
        (schema.Digits(classes=11), r"data.classes=11: data=digits has 10 classes"),
        (schema.Digits(n=800, classes=2, test=100), r"data.n=800 .* 360 samples"),
        (schema.Sorting(n=20, test=8, alphabet=3, length=3), r"data.n=20 and data.test=8: data=sorting has 27 samples"),
        (schema.Sorting(n=None, alphabet=10, length=10), r"data.n=null: there are 10000000000 sequences"),
        (schema.Text(n=40_000), r"data.path gives 1000000 characters, 30303 sequences .* too few for data.n=40000"),
        (schema.Text(path="/no/such/file"), r"data.path=/no/such/file: cannot be read"),
        (schema.Text(path="/"), r"data.path=/: cannot be read"),
    ],
    ids=str,
)
def test_too_much_asked_is_said_with_the_numbers(cfg: Any, says: str) -> None:
    with pytest.raises(BadInput, match=says) as complaint:
        load(cfg)
    assert "\n" not in str(complaint.value)


def test_a_text_that_is_none_or_too_short_is_named(tmp_path: Path) -> None:
    short, binary = tmp_path / "short.txt", tmp_path / "binary"
    short.write_text("a few words")
    binary.write_bytes(b"\xff\xfe\x00\x80" * 500)
    with pytest.raises(BadInput, match=r"data.path=.*short.txt gives 11 characters, 0 sequences of data.context=32"):
        load(schema.Text(path=str(short)))
    with pytest.raises(BadInput, match=r"data.path=.*binary: cannot be read as UTF-8 text"):
        load(schema.Text(path=str(binary)))
