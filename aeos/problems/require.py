"""Packages that only some choices need: imported when chosen, named when missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from aeos.errors import BadInput


def require(module: str, package: str, wanted_by: str) -> ModuleType:
    """The imported module. Raises BadInput with the pip command where it is missing or does not fit its neighbours."""
    try:
        return importlib.import_module(module)
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision built for another torch
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{wanted_by} needs {package} ({reason}): pip install {package}") from error
