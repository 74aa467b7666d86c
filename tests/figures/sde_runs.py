"""Tables of an optimizer beside its SDEs, made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from figure_runs import Make, decay

from aeos.results.read import Run, load
from aeos.results.schema import GAPS, MOMENTS

#: process → quantity → its means, one a step; the optimizer first
Means = Mapping[str, Mapping[str, Any]]


def sde_run(
    make: Make,
    name: str,
    step: Any,
    means: Means,
    error: float = 1e-3,
    diverged: Mapping[str, int] | None = None,
    **settings: Any,
) -> Run:
    """make_run with moments.csv and gaps.csv: every mean has the same standard `error`; `diverged`: SDE → at step."""
    optimizer = {"name": next(iter(means)), "lr": 1e-3, "weight_decay": 0.0, "decoupled": True}
    settings = {"optimizer": optimizer | settings.pop("optimizer", {}), "batch_size": None, "kappa": 1.0} | settings
    run = make(name, decay(), job="sde_compare", **settings)
    there, *_ = means.values()
    moments, gaps = [], []
    for process, quantities in means.items():
        for quantity, values in quantities.items():
            rows = pd.DataFrame({"step": step, "process": process, "quantity": quantity})
            mean, gap = np.asarray(values, float), np.asarray(values, float) - there[quantity]
            moments.append(rows.assign(mean=mean, error=error, variance=error, variance_error=error))
            if quantities is not there:
                gaps.append(rows.assign(gap=gap, error=error, z=gap / error if error else np.nan))
    for table, columns, parts in (("moments", MOMENTS, moments), ("gaps", GAPS, gaps)):
        names = [column.name for column in columns]
        rows = pd.concat(parts) if parts else pd.DataFrame()
        rows.reindex(columns=names).to_csv(run.path / f"{table}.csv", index=False)
    sdes = {process: {"diverged_at": (diverged or {}).get(process)} for process in list(means)[1:]}
    (run.path / "summary.json").write_text(json.dumps({"status": "finished", "diverged_at": None, "sdes": sdes}))
    return load(run.path)
