"""Would catch: a table whose rows its key columns do not tell apart, so that `aeos collect` would drop some of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from aeos.results.schema import TABLES
from tests.conftest import Said

RUNS = (
    "sharpness optimizer=gd optimizer.lr=0.1 data.n=30 data.test=10 steps=6 every=2 sharpness.top=2 model.width=4 "
    "sharpness.every=2 self_stabilization.every=2 dtype=float64",
    "train model=transformer model.qk_norm=true data=text data.n=8 data.context=4 batch_size=4 optimizer=adamw steps=4 "
    "scale_invariance.every=2 model.width=8",
    "sweep-stability curve.points=2 seeds=2 data.n=20 data.test=10 model.width=2 steps=4 every=2 workers=0",
    "flow-compare problem=edge optimizer.lr=1e-3 every=2 steps=6",
    "flow-compare problem=edge optimizer=rmsprop optimizer.lr=1e-3 every=2 steps=6 rest.every=2 "
    "flows=[central_flow,stable_flow]",
    "sde-compare paths=8 steps=6 every=2",
)


def test_keys_tell_rows_of_real_runs_apart(aeos: Callable[..., Said], tmp_path: Path) -> None:
    for words in RUNS:
        said = aeos(*words.split())
        assert said.code == 0, (words, said.err)
    seen = set()
    for file in tmp_path.glob("outputs/*/*/*.csv"):
        keys = [column.name for column in TABLES[file.stem] if column.key]
        table = pd.read_csv(file)
        assert len(table) > 1, file
        assert not table.duplicated(keys).any(), file.name
        seen.add(file.stem)
    assert seen == TABLES.keys()
