"""Would catch what nobody thought of typing: a traceback, a second line, an exit code of 1, or litter.

AEOS_FUZZ=1200 pytest tests/cli/test_fuzz_overrides.py tries so many lists of words in place of 40.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
from pathlib import Path

import hydra
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from aeos import schema
from aeos.complaints import settings as keys_of_schema
from aeos.paths import conf_dir, groups

#: What keeps each job tiny; these come last, so that they hold.
JOBS = {
    "train": "problem=quadratic steps=2 every=1",
    "sharpness": "problem=quadratic steps=2 every=1",
    "sweep-stability": "problem=teacher curve=section curve.points=2 seeds=1 steps=2 workers=0",
    "flow-compare": "problem=teacher steps=2",
    "sde-compare": "problem=quadratic steps=4 paths=3",
}
#: Not tried: what would fetch data, start processes, or take hours where it is allowed.
KEYS = sorted({*keys_of_schema(), *groups()} - {"data.download", "workers", "launch.workers", "kappa"})
VALUES = [
    "", "null", "true", "no", "0", "1", "2", "3", "-1", "-0.0", "0.5", "1e-3", "nan", "inf", "-inf",
    "1e12", "-1e12", "1e-12", "1e308", "1e-308", "2147483648", "99999999999999999999", "1e400", "0x10", "1_000", "abc",
    "adam", "gd", "quadratic", "cpu", "cuda:9",
    "[]", "[1]", "[1,a]", "[[0.9,0.9]]", "[[[1]]]", "{}", "{a:1}", "{a:{b:[1]}}", "'q'", '"q', "'", "[", "}", "(", "\\",
    "${seed}", "${nothing}", "${oc.env:HOME}", "${oc.env:NO_SUCH}", "${now:%Y}", "${hydra:job.name}", "${", "$", "${.}",
    "${..}", "${launch}", "${problem}", "${oc.create:{a:1}}", "${oc.decode:'['}", "???", "a b", "ä", "μ=1", "\n", "\t",
    "../..", "..", "/", "/dev/null", "~", "*", "glob(*)", "0,1", "a,b", "range(0,3)", "range(0,1,0)", "interval(0,1)",
    "choice(gd,adam)", "choice()", "sort(1,0)", "shuffle(0,1)", "tag(a,0)", "int(1.5)", "str(1)", "json_str([1])", "@x",
]  # fmt: skip
FLAGS = [
    "-m", "--multirun", "-r", "--cfg job", "--cfg=hydra", "-c all --resolve", "--cfg job -p optimizer", "--cfg", "-p x",
    "--cfg job -p nope", "--info defaults", "--info", "-cd .", "-cd nowhere", "-cn x", "-cn train", "-x",
    "--hydra-help", "--package", "--resolve", "--", "-", "--help", "--version", "hydra.verbose=true",
    "hydra/launcher=submitit_local", "hydra/launcher=basic", "hydra.launcher.x=1", "~hydra", "hydra=null",
    "hydra/sweeper=optuna", "hydra={}",
]  # fmt: skip
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
number = st.one_of(st.integers(-9, 9), st.sampled_from([0.5, 1.5, 1e-3, 2**31, 10**20]), st.floats())
value = st.one_of(st.sampled_from(VALUES), number.map(str), number.map(str), text)
choice = st.sampled_from([f"{group}={name}" for group, names in groups().items() for name in names])


def words_of(job: str) -> st.SearchStrategy[tuple[str, list[str]]]:
    """(job, words), most of them about settings that this job has, so that many of the runs come to life."""
    config = composed(job)
    own = [name for name in KEYS if name.split(".")[0] in config and OmegaConf.select(config, name) is not None]
    plain = st.builds("{}={}".format, st.sampled_from(own), st.one_of(number.map(str), st.sampled_from(VALUES)))
    key = st.one_of(st.sampled_from(KEYS), text)
    odd = [
        st.builds("{}={}".format, key, value),
        st.builds("{}{}={}".format, st.sampled_from(["+", "++", "~", "--", "@"]), key, value),
        st.builds("{}@{}={}".format, key, st.one_of(key, st.sampled_from(["_global_", "hydra", "_here_"])), value),
        st.builds("{}{}".format, st.sampled_from(["~", "+", "", "=", "-"]), key),
        st.sampled_from(FLAGS),
        text,
    ]
    ours = choice.filter(lambda word: word != "launch=workers")
    word = st.integers(0, 9).flatmap(lambda n: plain if n < 6 else ours if n < 8 else st.one_of(odd))
    return st.lists(word, min_size=1, max_size=3).map(lambda words: (job, words))


def composed(job: str) -> DictConfig:
    schema.register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return hydra.compose(job.replace("-", "_"), JOBS[job].split())


places = itertools.count()


@settings(
    max_examples=int(os.environ.get("AEOS_FUZZ", "40")),
    derandomize="AEOS_FUZZ" not in os.environ,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(one=st.one_of([words_of(job) for job in JOBS]))
def test_any_words_end_in_a_run_or_in_one_line(
    one: tuple[str, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from aeos.cli import main

    job, words = one
    place = tmp_path / str(next(places)) / "here"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    split = [part for word in words for part in (word.split(" ") if word in FLAGS else [word])]
    monkeypatch.setattr(sys, "argv", ["aeos", job, *split, *JOBS[job].split()])
    capfd.readouterr()
    with pytest.raises(SystemExit) as stop:
        main()
    _, err = capfd.readouterr()
    assert stop.value.code in (0, None, 2), err
    assert "Traceback" not in err
    if stop.value.code == 2:
        assert len(err.split("\n")) == 2, err
        assert err.startswith("aeos: ")
        assert [*place.iterdir()] == []
        assert [*place.parent.iterdir()] == [place]
