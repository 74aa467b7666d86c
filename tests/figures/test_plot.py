"""Would catch: files in the wrong folder, a mistyped word that ends in a traceback, a plot that drags torch in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from figure_runs import Make, decay

from aeos.errors import BadInput
from aeos.figures import plot as module
from aeos.figures.claims import Claim
from aeos.figures.plot import plot
from aeos.figures.registry import FigureConfig, figures
from aeos.figures.style import new
from aeos.paths import PACKAGE

KINDS = ["pdf", "svg", "png"]
ONE = {"training": figures()["training"]}
SEEDS = (("optimizer.lr=0.001", "seed=0"), ("optimizer.lr=0.001", "seed=1"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """One figure, blank and so fast to save; it makes the claims in `.made`."""
    made: list[Claim] = []
    drawing = SimpleNamespace(TABLES=["metrics"], draw=lambda *_: new(0.1), claims=lambda _: list(made), made=made)
    monkeypatch.setattr(module, "load_draw", lambda name: drawing)
    monkeypatch.setattr(module, "figures", lambda: ONE)
    return drawing


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch, light: SimpleNamespace) -> SimpleNamespace:
    """A second figure, `pair`, that asks for two seeds."""
    known = {**ONE, "pair": FigureConfig("pair", "P", "train", SEEDS, "", None, None, "training")}
    monkeypatch.setattr(module, "figures", lambda: known)
    return light


def test_one_run_is_drawn_into_its_own_folder(make_run: Make, root: Path) -> None:
    run = make_run("adam-1", decay())
    expected = [run.path / "figures" / f"training.{kind}" for kind in KINDS]
    assert plot([str(run.path)], None, root) == expected
    once = [file.read_bytes() for file in expected]
    assert all(len(content) > 1000 for content in once)
    assert plot(["adam-1"], None, root) == expected
    assert [file.read_bytes() for file in expected] == once


def test_several_runs_are_drawn_together_under_the_root(make_run: Make, root: Path, light: SimpleNamespace) -> None:
    for seed in range(3):
        make_run(f"adam-{seed}", decay(), seed=seed)
    folder = plot([str(root / "train")], None, root)
    assert {file.parent for file in folder} == {root / "figures"}
    assert [file.suffix[1:] for file in folder] == KINDS
    assert len({file.stem for file in folder}) == 1
    assert folder[0].stem.startswith("training-")
    assert plot(["train"], None, root) == plot([str(root)], None, root) == plot(["training"], None, root) == folder
    assert plot(["adam-0", "adam-1", "adam-2", "adam-0"], None, root) == folder
    assert plot(["adam-0", "adam-1"], None, root) != folder


def test_out_replaces_the_folder(make_run: Make, root: Path, tmp_path: Path, light: SimpleNamespace) -> None:
    make_run("adam-1", decay())
    assert plot(["adam-1"], tmp_path / "a" / "b", root) == [tmp_path / "a" / "b" / f"training.{kind}" for kind in KINDS]


def test_a_figure_names_the_commands_that_make_its_runs(make_run: Make, root: Path, pair: SimpleNamespace) -> None:
    make_run("adam-0", decay())
    make_run("adam-1", decay(), seed=1, finished=False)
    with pytest.raises(BadInput) as error:
        plot(["pair"], None, root)
    assert str(error.value).endswith("make them: aeos train optimizer.lr=0.001 seed=1")
    make_run("adam-2", decay(), seed=1)
    assert plot(["pair"], None, root)[0].name.startswith("pair-")


def test_bare_runs_appear_in_every_figure_they_are_enough_for(
    make_run: Make, root: Path, pair: SimpleNamespace
) -> None:
    make_run("adam-0", decay())
    make_run("adam-1", decay(), seed=1)
    make_run("gd-0", decay(), optimizer={"name": "gd", "lr": 0.5})
    assert {file.stem.partition("-")[0] for file in plot(["adam-0", "gd-0"], None, root)} == {"training"}
    assert {file.stem.partition("-")[0] for file in plot(["train"], None, root)} == {"training", "pair"}
    assert {file.stem for file in plot(["pair", "gd-0"], None, root)} == {"pair"}


def test_claims_lie_beside_the_figure_while_there_are_any(make_run: Make, root: Path, pair: SimpleNamespace) -> None:
    run = make_run("adam-0", decay())
    pair.made.append(Claim("slope", 1.0, 1.01, 0.1))
    files = plot(["pair", "adam-0"], None, root)
    assert files[-1] == run.path / "figures" / "pair.claims.csv"
    assert files[-1].read_text().endswith("PASS\n")
    pair.made.clear()
    assert plot(["pair", "adam-0"], None, root) == files[:-1]
    assert not files[-1].exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "plot what"),
        (["trainign"], "neither a figure nor a run under .*; did you mean training?"),
        (["adam-2"], "did you mean adam-1?"),
        (["{tmp}/nothing"], "neither a figure nor a run"),
        (["{tmp}"], "no run folder, and no folder of runs"),
        (["{tmp}/broken"], "not a run folder"),
        (["no-rows"], "no-rows: no rows yet"),
        (["no-table"], "no-table: no table there that a figure shows"),
    ],
)
def test_bad_words_are_explained(make_run: Make, root: Path, tmp_path: Path, words: list[str], message: str) -> None:
    make_run("adam-1", decay())
    make_run("no-rows", [], finished=False)
    (make_run("no-table", []).path / "metrics.csv").unlink()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "env.json").write_text("{")
    (tmp_path / "elsewhere").mkdir()
    inside = [word.format(tmp=tmp_path / "elsewhere" if word == "{tmp}" else tmp_path) for word in words]
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match=message):
        plot(inside, None, root)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_figure_of_theory_alone_needs_no_runs_and_shows_none(
    make_run: Make, root: Path, monkeypatch: pytest.MonkeyPatch, light: SimpleNamespace
) -> None:
    known = {**ONE, "theory": FigureConfig("theory", "T", None, (), "", None, None, "theory")}
    monkeypatch.setattr(module, "figures", lambda: known)
    light.made.append(Claim("slope", 1.0, 1.01, 0.1))
    monkeypatch.setattr(module, "find", lambda root: pytest.fail("looked for runs"))
    alone = [root / "figures" / f"theory.{kind}" for kind in [*KINDS, "claims.csv"]]
    assert plot(["theory"], None, root) == alone
    run = make_run("adam-0", decay())
    assert {file.stem.partition(".")[0] for file in plot(["adam-0"], None, root)} == {"training"}
    beside = [run.path / "figures" / f"training.{kind}" for kind in [*KINDS, "claims.csv"]]
    assert plot(["theory", "training", "adam-0"], None, root) == alone + beside


def test_no_runs_at_all(root: Path) -> None:
    with pytest.raises(BadInput, match=r"needs runs that are not under .*; make them: aeos train$"):
        plot(["training"], None, root)


def test_an_unwritable_folder_is_explained(make_run: Make, root: Path, tmp_path: Path) -> None:
    make_run("adam-1", decay())
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"file: cannot write figures there .*; give another with --to"):
        plot(["adam-1"], tmp_path / "file", root)


def fresh(script: str, *words: str) -> None:
    env = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    subprocess.run([sys.executable, "-c", script, *words], env=env, check=True)


def test_words_are_checked_before_anything_slow_is_imported(root: Path) -> None:
    fresh(
        """if True:
        import sys
        from pathlib import Path
        from aeos.errors import BadInput
        from aeos.figures.plot import plot
        for word in ("nothing", "training"):
            try:
                plot([word], None, Path(sys.argv[1]))
            except BadInput:
                continue
            raise SystemExit("not refused")
        assert not {"torch", "hydra", "omegaconf", "matplotlib", "pandas", "numpy"} & sys.modules.keys()
        """,
        str(root),
    )


def test_drawing_needs_neither_torch_nor_hydra(make_run: Make, root: Path) -> None:
    make_run("adam-1", decay())
    fresh(
        """if True:
        import sys
        from pathlib import Path
        from aeos.figures.plot import plot
        assert len(plot(["adam-1"], None, Path(sys.argv[1]))) == 3
        assert not {"torch", "hydra", "omegaconf", "matplotlib.pyplot"} & sys.modules.keys()
        """,
        str(root),
    )
