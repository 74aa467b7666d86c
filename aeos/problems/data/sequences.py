"""Sequence tasks: the next character of a text, and putting symbols in order."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

import numpy as np

from aeos.errors import BadInput
from aeos.problems.data.dataset import IGNORED, Dataset, fingerprint, labels, relabel, sizes


def text(cfg: Any) -> Dataset:
    """x = (c₁ … c_T), y = (c₂ … c_{T+1}), T = data.context: windows of T+1 characters that share none.

    The test windows are the last data.test of the corpus, the training windows a seeded choice of the others; symbols
    are the corpus's characters in code-point order.
    Raises BadInput naming data.path when it cannot be read or is too short.
    """
    corpus = read(cfg.path, cfg.characters)
    window = cfg.context + 1
    count = len(corpus) // window
    where = "data.path" if cfg.path is None else f"data.path={cfg.path}"
    if count < (cfg.n or 1) + (cfg.test or 0):
        raise BadInput(
            f"{where} gives {len(corpus)} characters, {count} sequences of data.context={cfg.context}: "
            f"too few for data.n={cfg.n} and data.test={cfg.test}"
        )
    alphabet, codes = np.unique(np.array(list(corpus)), return_inverse=True)
    windows = codes[: count * window].reshape(count, window)
    n, test = sizes(cfg, count)
    order = np.random.default_rng(cfg.seed).permutation(count - test)[:n]
    return sequences(cfg, windows[order], windows[count - test :], len(alphabet), "".join(alphabet))


def read(path: str | None, characters: int) -> str:
    """At most so many characters of the file, or of the running Python's standard library, its modules in order."""
    files = [Path(path)] if path else sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    corpus = ""
    for file in files:
        if len(corpus) == characters:
            break
        try:
            with file.open(encoding="utf-8") as lines:
                corpus += lines.read(characters - len(corpus))
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"data.path={file}: cannot be read as UTF-8 text ({error})") from error
    return corpus


def sorting(cfg: Any) -> Dataset:
    """x = (s, sorted(s) without its last), y = the next symbol where it belongs to sorted(s), else not counted

    s: data.length symbols, uniform over an alphabet of data.alphabet; x and y are (2·length − 1,). No sequence occurs
    twice, so training and test are disjoint; more than alphabet^length of them are refused (minGPT's sorting task).
    """
    total = cfg.alphabet**cfg.length
    if cfg.n is None and total > 1_000_000:
        raise BadInput(f"data.n=null: there are {total} sequences to sort; give a number")
    n, test = sizes(cfg, total)
    drawn = distinct(n + test, cfg.alphabet, cfg.length, np.random.default_rng(cfg.seed))
    windows = np.concatenate([drawn, np.sort(drawn, axis=1)], axis=1)
    return sequences(cfg, windows[:n], windows[n:], cfg.alphabet, given=cfg.length - 1)


def distinct(count: int, alphabet: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """(count, length): so many different sequences, uniformly chosen and in random order."""
    if alphabet**length <= 4 * count:
        codes = rng.permutation(alphabet**length)[:count]
        return codes[:, None] // alphabet ** np.arange(length) % alphabet
    rows = np.empty((0, length), dtype=np.int64)
    while len(rows) < count:
        rows = np.unique(np.concatenate([rows, rng.integers(alphabet, size=(count, length))]), axis=0)
    return rng.permutation(rows)[:count]


def sequences(
    cfg: Any, train: np.ndarray, test: np.ndarray, classes: int, symbols: str = "", given: int = 0
) -> Dataset:
    """Windows (n, t+1) cut into inputs and next symbols, of which the first `given` do not count."""
    targets = [part[:, 1:].copy() for part in (train, test)]
    for part in targets:
        part[:, :given] = IGNORED
    targets[0] = relabel(targets[0], classes, cfg)
    inputs = [part[:, :-1] for part in (train, test)]
    digest = fingerprint(inputs[0], targets[0], inputs[1], targets[1], extra=symbols)
    x_train, x_test, y_train, y_test = map(labels, (*inputs, *targets))
    return Dataset(cfg.name, "sequence", x_train, y_train, x_test, y_test, classes, digest)
