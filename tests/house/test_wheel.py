"""The wheel: everything that runs from a checkout runs from it, from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel holds, in front of everything else on the path."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_it_holds_the_configs_and_nothing_of_the_workshop(installed: Path) -> None:
    shipped = {str(path.relative_to(installed / "aeos" / "conf")) for path in installed.glob("aeos/conf/**/*.yaml")}
    assert shipped == {str(path.relative_to(ROOT / "conf")) for path in ROOT.glob("conf/**/*.yaml")}
    assert {path.name for path in installed.iterdir()} <= {
        "aeos",
        *(p.name for p in installed.glob("aeos-*.dist-info")),
    }


def test_a_run_and_its_figure_from_somewhere_else(installed: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(installed)}
    where = "import aeos, sys; from aeos.paths import conf_dir; print(aeos.__file__, conf_dir())"
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [str(installed / "aeos" / "__init__.py"), str(installed / "aeos" / "conf")]
    for words in (["train", "steps=4", "every=2"], ["plot", "outputs/train"], ["list"]):
        run = [sys.executable, "-m", "aeos", *words]
        done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.glob("outputs/train/*/figures/training.svg"))
