"""What is printed instead of a run: the config, or what Hydra says about itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import hydra
from omegaconf import Container, DictConfig, OmegaConf, flag_override

from aeos.errors import BadInput
from aeos.launch.words import value_of
from aeos.paths import conf_dir


def print_config(config: DictConfig, options: Sequence[str]) -> None:
    """`--cfg job|hydra|all`, of it `-p PART`, with --resolve interpolations as what they stand for."""
    kind, part = value_of(options, "--cfg", "-c"), value_of(options, "--package", "-p") or "_global_"
    if kind != "all":
        with flag_override(config, ["struct", "readonly"], [False, False]):
            for key in [key for key in config if (key == "hydra") is not (kind == "hydra")]:
                del config[key]
    shown = config if part == "_global_" else OmegaConf.select(config, part)
    if shown is None:
        raise BadInput(f"-p {part}: the config has no such part; leave -p out to see all of it")
    if not isinstance(shown, Container):
        print(shown)
        return
    if "--resolve" in options:
        OmegaConf.resolve(shown)
    heading = "" if part == "_global_" else f"# @package {part}\n"
    print(heading + OmegaConf.to_yaml(shown), end="")


def print_info(job: str, options: Sequence[str], overrides: Sequence[str]) -> None:
    """`--info` and the like, by Hydra: it reads sys.argv, and hides tracebacks of its own unless asked."""
    argv, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = [f"aeos {job.replace('_', '-')}", *options, *overrides]
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=job)(lambda config: None)()
    finally:
        sys.argv = argv
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full
