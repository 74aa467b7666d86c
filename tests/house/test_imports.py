"""The design's import direction, read off the source: every import at any depth, lazy ones included."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest

import aeos

PACKAGE = Path(aeos.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "conf" not in path.parts)

#: Which rooms each room may open a door to. A room is a top-level module or package of aeos.
GROUND = {"errors", "paths"}
ALLOWED = {
    "errors": set(),
    "paths": set(),
    "ranks": {"errors"},
    "processes": {"errors"},
    "theory": set(),
    "schema": GROUND | {"theory"},
    "optimizers": GROUND | {"theory", "schema"},
    "problems": GROUND | {"ranks"},
    "curvature": GROUND,
    "dynamics": GROUND | {"theory", "optimizers", "problems", "curvature"},
    "monitor": GROUND | {"theory", "optimizers", "curvature"},
    "results": GROUND | {"ranks", "schema"},
    "figures": GROUND | {"theory", "results"},
    "jobs": GROUND | {"ranks", "processes", "theory", "optimizers", "problems", "curvature", "dynamics", "results"},
    "complaints": GROUND | {"schema"},
    "launch": GROUND | {"ranks", "processes", "schema", "complaints", "results", "jobs"},
    "reproduce": GROUND | {"processes", "launch", "figures", "results"},
    "collect": GROUND | {"results", "jobs"},
    "listing": GROUND | {"results", "figures"},
    "cli": GROUND | {"ranks", "launch", "listing", "figures", "reproduce", "collect"},
    "__main__": {"cli"},
    "__init__": set(),
}
#: What must not be imported anywhere in a room, by first name.
FORBIDDEN = {
    "figures": {"torch", "torchvision", "hydra", "omegaconf"},
    "theory": {"torch", "torchvision", "hydra", "omegaconf", "pandas", "matplotlib"},
    "schema": {"torch", "torchvision", "pandas", "matplotlib"},
    "cli": {"torch", "hydra", "omegaconf", "pandas", "matplotlib"},
    "dynamics": {"hydra", "omegaconf", "pandas", "matplotlib"},
    "curvature": {"hydra", "omegaconf", "pandas", "matplotlib"},
    "optimizers": {"hydra", "omegaconf", "pandas", "matplotlib"},
    "monitor": {"hydra", "omegaconf", "pandas", "matplotlib"},
}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_import_goes_the_way_the_design_says(path: Path) -> None:
    here = room(path)
    names = imported(path)
    ours = {name.split(".")[1] for name in names if name.split(".")[0] == "aeos" and "." in name}
    assert ours <= ALLOWED[here] | {here}
    assert not {name.split(".")[0] for name in names} & (FORBIDDEN.get(here, set()) | {"click"})


def test_no_two_files_import_each_other() -> None:
    """No circles among files, at module level or inside functions."""
    name_of = {path: ".".join(("aeos", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in MODULES}
    files = {name.removesuffix(".__init__"): path for path, name in name_of.items()}
    edges = {
        name: {n if n in files else n.rpartition(".")[0] for n in imported(path)} & files.keys() - {name}
        for name, path in files.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join([*trail, name])
        if name not in done:
            for other in edges[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in files:
        visit(name, ())
    assert len(done) == len(files) > 20


@pytest.mark.parametrize("path", sorted(PACKAGE.parent.glob("benchmarks/*.py")), ids=lambda path: path.stem)
def test_benchmarks_take_from_aeos_what_it_has(path: Path) -> None:
    """Nothing else runs them: a name that moved would be missed only by whoever wants to compare."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "aeos":
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                known = hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}")
                assert known, f"{path.name}:{node.lineno}: {node.module} has no {alias.name}"
