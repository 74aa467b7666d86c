"""Run folders as a job leaves them, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from figure_runs import Make, Rows, csv

from aeos.results.read import Run, load


@pytest.fixture
def make_run(tmp_path: Path) -> Make:
    """make_run(name, rows, settings…): a run under tmp_path/outputs; settings override those of Adam on a quadratic."""

    def make(
        name: str, rows: Rows, job: str = "train", finished: bool = True, text: str | None = None, **settings: Any
    ) -> Run:
        folder = tmp_path / "outputs" / job / name
        folder.mkdir(parents=True)
        config = {
            "problem": {"name": "quadratic", "spectrum": [1.0, 2.0]},
            "data": None,
            "model": None,
            "optimizer": {"name": "adam", "lr": 0.001, "weight_decay": 0.0, "beta1": 0.9},
            "seed": 0,
            "steps": 50,
            "name": None,
            "out": "outputs",
        } | settings
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        (folder / "env.json").write_text(json.dumps({"job": job}))
        (folder / "metrics.csv").write_text(csv([{"process": "adam", **row} for row in rows]) if text is None else text)
        if finished:
            (folder / "summary.json").write_text(json.dumps({"status": "finished", "diverged_at": None}))
            (folder / "done.json").write_text(json.dumps({"status": "finished"}))
        return load(folder)

    return make
