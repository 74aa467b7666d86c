"""Would catch a word, a config, or a line of ours by which somebody else's text becomes code or writes elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

import aeos as package
from tests.conftest import Said

EVIL = "_target_: pathlib.Path.touch\nself: {_target_: pathlib.Path, _args_: [MARKER]}\n"
CALL = "{_target_:pathlib.Path.touch,self:{_target_:pathlib.Path,_args_:[MARKER]}}"
RUN = "problem=quadratic optimizer=gd steps=1 "
WORDS = [
    f"+hydra.callbacks.x={CALL}",
    f"++hydra.callbacks={{x:{CALL}}}",
    f"hydra.launcher={CALL} -m",
    "hydra.launcher._target_=os.system -m",
    "++hydra.launcher._target_=os.system -m",
    f"+hydra.launcher.x={CALL} -m",
    f"hydra.sweeper={CALL} -m",
    "hydra.sweeper._target_=os.system -m",
    "++hydra.sweeper.params={hydra.run.dir:MARKER} -m",
    "++hydra.job_logging={version:1,handlers:{x:{()=os.system}}}",
    "++hydra.job_logging={version:1,root:{handlers:[x]},handlers:{x:{class:logging.FileHandler,filename:MARKER}}}",
    "hydra/job_logging=default",
    "hydra.searchpath=[pkg://evil]",
    "hydra.run.dir=MARKER",
    "hydra.sweep.dir=MARKER -m",
    "hydra.sweep.subdir=../MARKER -m",
    "hydra.output_subdir=MARKER",
    "++hydra.job.env_set.PYTHONSTARTUP=evil.py",
    "hydra.job.chdir=true",
    "hydra.mode=MULTIRUN",
    "hydra.verbose=true",
    "hydra/launcher=evil -m -cd mine",
    "hydra/launcher=joblib -m -cd mine",
    "hydra/launcher=../optimizer/gd -m",
    "+optimizer@hydra.callbacks.x=evil -cd mine",
    "+evil@_global_=callback -cd mine",
    "optimizer=callback -cd mine",
    "-m optimizer=gd,callback -cd mine",
    "-m optimizer=glob(*) -cd mine",
    "optimizer=logging -cd mine",
    "optimizer=../../elsewhere/callback -cd mine",
    "optimizer=../../elsewhere/plain -cd mine",
    "-cn primary -cd mine",
    "-cn search -cd mine",
    "-cn folders -cd mine",
    "-cn launcher -cd mine -m",
    "-cn ../elsewhere/primary -cd mine",
    "-cp pkg://evil",
    "--cfg all +optimizer@hydra.callbacks.x=evil -cd mine",
    "--info searchpath hydra.searchpath=[pkg://evil]",
    "--info all -cn search -cd mine",
    "--hydra-help -cn search -cd mine",
    "-m launch=slurm launch.partition='a\nb'",
    "out=${eval:open('MARKER','w')}",
    "name=../MARKER",
]
OURS = "defaults: [/schema/train@_here_, {problem: quadratic}, {optimizer: gd}, {schedule: constant}, run, _self_]\n"
FILES = {
    "evil.py": "open('MARKER', 'w')\n",
    "evil/__init__.py": "open('MARKER', 'w')\n",
    "mine/hydra/launcher/evil.yaml": EVIL,
    "mine/hydra/launcher/joblib.yaml": EVIL,
    "mine/optimizer/evil.yaml": EVIL,
    "mine/optimizer/callback.yaml": f"# @package hydra.callbacks.x\n{EVIL}",
    "mine/evil/callback.yaml": f"hydra:\n  callbacks:\n    x: {CALL.replace(':', ': ')}\n",
    "mine/optimizer/logging.yaml": "# @package hydra.job_logging\nhandlers: {x: {(): os.system, command: evil}}\n",
    "mine/primary.yaml": OURS + f"hydra:\n  callbacks:\n    x: {CALL.replace(':', ': ')}\n",
    "mine/search.yaml": OURS + "hydra: {searchpath: ['pkg://evil']}\n",
    "mine/folders.yaml": OURS.replace("run, ", "") + "# so that Hydra's own folders are made\n",
    "mine/launcher.yaml": OURS.replace("_self_", "override /hydra/launcher: evil, _self_"),
    "elsewhere/callback.yaml": f"# @package hydra.callbacks.x\n{EVIL}",
    "elsewhere/plain.yaml": "defaults: [/schema/optimizer/gd@_here_]\n",
    "elsewhere/primary.yaml": OURS,
}


@pytest.mark.parametrize("words", WORDS)
def test_nobody_elses_text_becomes_code(
    words: str, aeos: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text.replace("MARKER", str(marker)))
    before = {*tmp_path.rglob("*")}
    monkeypatch.syspath_prepend(tmp_path)
    said = aeos("train", *(word.replace("MARKER", str(marker)) for word in (RUN + words).split(" ")))
    assert not marker.exists()
    assert said.code == 2, said
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("aeos: ")
    assert {*tmp_path.rglob("*")} == before


def test_a_config_may_choose_and_set(aeos: Callable[..., Said], tmp_path: Path) -> None:
    """What the refusals leave: a primary config and a launcher's settings of one's own."""
    (tmp_path / "mine" / "launch").mkdir(parents=True)
    (tmp_path / "mine" / "launch" / "cluster.yaml").write_text("defaults: [slurm, _self_]\npartition: gpu\n")
    (tmp_path / "mine" / "primary.yaml").write_text(OURS.replace("_self_", "override launch: cluster, _self_"))
    said = aeos("train", "-cd", "mine", "-cn", "primary", "--cfg", "job", "-p", "launch")
    assert said.code == 0, said.err
    assert "partition: gpu" in said.out


def test_resolvers_are_those_of_hydra_and_omegaconf(aeos: Callable[..., Said]) -> None:
    from omegaconf.basecontainer import BaseContainer

    assert aeos("train", "--cfg", "job").code == 0
    assert {name for name in BaseContainer._resolvers if not name.startswith("oc.")} == {
        "env", "hydra", "now", "python_version"
    } - ({"env"} - BaseContainer._resolvers.keys())  # fmt: skip


#: What runs text as code, or builds objects by names that it holds.
CALLS = {"eval", "exec", "compile", "__import__", "instantiate", "literal_eval", "full_load", "unsafe_load"}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}


def named(call: ast.Call) -> tuple[str, str]:
    """os.path.join(…) → ("path", "join")"""
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        return getattr(owner, "attr", getattr(owner, "id", "")), call.func.attr
    return "", getattr(call.func, "id", "")


@pytest.mark.parametrize("path", sorted(Path(package.__file__).parent.rglob("*.py")), ids=lambda path: str(path)[-40:])
def test_no_line_of_ours_runs_text(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
            assert not {name.split(".")[0] for name in names} & MODULES, f"{path}:{node.lineno}"
        if not isinstance(node, ast.Call):
            continue
        owner, name = named(node)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        where = f"{path}:{node.lineno}: {owner}.{name}"
        assert owner == "re" or name not in CALLS or (owner and name in ("eval", "compile")), where  # module.eval()
        if owner == "torch" and name == "load":
            assert isinstance(safe := given.get("weights_only"), ast.Constant), where
            assert safe.value is True, where
        if owner in ("np", "numpy") and name == "load":
            assert "allow_pickle" not in given, where
        assert (owner, name) not in {("yaml", "load"), ("os", "system")}, where
        assert "shell" not in given, where
