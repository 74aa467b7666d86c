"""Configs from words and files that somebody else may have written: what they say to Hydra is what we ship, or nothing.

Hydra instantiates launchers, sweepers, callbacks and log handlers by the names under `hydra` in a config, imports what
is on its search path, and writes where `hydra.run.dir` says. Composing instantiates nothing, so a config is composed
first, and must hold under `hydra` exactly what the shipped config holds with the words that a user may tell Hydra.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

import hydra
import yaml
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from aeos.errors import BadInput
from aeos.launch.words import value_of
from aeos.paths import conf_dir
from aeos.schema.job import is_name

#: What Hydra itself writes there while it composes.
WRITTEN = ("overrides", "runtime", "mode", "job.override_dirname", "job.config_name", "job.name")
NOWHERE_ELSE = "hydra.searchpath=[]"  # whatever a config says: pkg:// would import a package while composing


class Composer:
    """One config for each list of words; `told` are the words for Hydra itself, `name` is the primary config."""

    def __init__(self, job: str, name: str, told: Sequence[str], folder: Path | None) -> None:
        self.job, self.name, self.told, self.folder = job, name, list(told), folder
        self._shipped = _shipped(job, tuple(told))

    def __call__(self, words: Sequence[str]) -> DictConfig:
        """The config of these words. Raises BadInput when it says to Hydra what it may not; Hydra's errors pass."""
        config = self.whole(words)
        with open_dict(config):
            del config["hydra"]
        return config

    def whole(self, words: Sequence[str]) -> DictConfig:
        """The same with what is Hydra's."""
        config = hydra.compose(self.name, [*words, *self.told, NOWHERE_ELSE], return_hydra_config=True)
        if other := _difference(_plain(config), self._shipped):
            raise BadInput(
                f"hydra.{other}: not for a config or a word to set; choose with launch=…, and let the defaults of a "
                f"primary config begin with /schema/{self.job}@_here_ and run"
            )
        for group, choice in config.hydra.runtime.choices.items():
            if ".." in str(choice) or str(choice).startswith("/"):
                raise BadInput(f"{group}={choice}: leads out of the config folder; put it there, and give that by -cd")
        return config


@contextmanager
def composing(job: str, options: Sequence[str], told: Sequence[str]) -> Iterator[Composer]:
    """Within it, the composer for these options of Hydra's command line. Raises BadInput for what they cannot be."""
    folder = value_of(options, "-cd", "--config-dir")
    name = value_of(options, "-cn", "--config-name") or job
    place = Path(folder).absolute() if folder else None
    if place and not place.is_dir():
        raise BadInput(f"-cd {folder}: no such folder")
    name = name.removesuffix(".yaml")
    if not is_name(name):
        raise BadInput(f"-cn {name}: must be the name of a config in the folder that -cd names")
    if place and place.joinpath(f"{name}.yaml").is_file():
        _check_primary(place / f"{name}.yaml")
    composer = Composer(job, name, told, place)
    with _initialized(job):
        if place:
            loader = cast(Any, GlobalHydra.instance().config_loader())
            path = loader.get_search_path()
            path.prepend("command-line", f"file://{place}", SearchPathQuery(provider="schema"))
            loader.repository.initialize_sources(path)
        yield composer


@cache
def _shipped(job: str, told: tuple[str, ...]) -> dict[str, Any]:
    """What is under `hydra` with no folder and no words but those for Hydra."""
    with _initialized(job):
        return _plain(hydra.compose(job, [*told, NOWHERE_ELSE], return_hydra_config=True))


def _initialized(job: str) -> Any:
    name = f"aeos-{job.replace('_', '-')}"
    return hydra.initialize_config_dir(str(conf_dir()), job_name=name, version_base="1.3")


def _check_primary(file: Path) -> None:
    """Hydra looks into a primary config for where to look further, before it composes."""
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return  # Hydra says what is wrong with it
    if isinstance(content, dict) and "hydra" in content:
        raise BadInput(f"{file}: says something to Hydra (`hydra:`), which only aeos' own configs may: take it out")


def _plain(config: DictConfig) -> dict[str, Any]:
    """What is under `hydra`, flat, with interpolations as they are written."""
    content = OmegaConf.to_container(config.hydra, resolve=False)
    return {key: value for key, value in _flat(content) if not key.startswith(WRITTEN)}


def _flat(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, content


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    """The first key in which they differ, or the empty string."""
    missing = object()
    return next((key for key in sorted({*one, *other}) if one.get(key, missing) != other.get(key, missing)), "")
