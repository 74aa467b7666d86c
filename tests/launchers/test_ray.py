"""Would catch a sweep on Ray that computes something else, hides a failure, or says more than a line."""

from __future__ import annotations

from pathlib import Path

from tests.launchers.sweep import check_alike, check_failing

RAY = ("launch=ray", "launch.workers=2")


def test_the_same_sweep_gives_the_same_tables(tmp_path: Path) -> None:
    check_alike(tmp_path / "here", tmp_path / "there", *RAY)


def test_a_failing_run_says_so_in_one_line_and_the_others_finish(tmp_path: Path) -> None:
    check_failing(tmp_path / "runs", *RAY)
