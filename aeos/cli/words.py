"""What commands share: how their words are read, completed and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HYDRA = {"ignore_unknown_options": True}


def complete(context: typer.Context, incomplete: str) -> list[str]:
    """`opt<TAB>` → optimizer=adam, …; reads file names only.

    bash splits words at `=`: there `optimizer=k` arrives as earlier words […, "optimizer", "="] and incomplete "k",
    and the answer must be bare names. zsh and fish pass the word whole.
    """
    from aeos.paths import groups

    words = [f"{group}={name}" for group, names in groups().items() for name in names]
    before = [word for word in context.params.get("overrides") or () if word != "="]
    prefix = f"{before[-1]}=" if before and before[-1] in groups() else ""
    return [word.removeprefix(prefix) for word in words if word.startswith(prefix + incomplete)]


Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[GROUP=NAME | KEY=VALUE | -m | --cfg job]...", help="Hydra's words.", autocompletion=complete
    ),
]
Out = Annotated[Path, typer.Option("--out", help="The folder that runs are kept in.")]


def explained(job: str, *examples: str) -> str:
    """Examples and config groups for a job's --help, read off the file system."""
    from aeos.paths import groups

    lines = [f"[bold]{group}[/]: {', '.join(names)}" for group, names in groups(job).items()]
    return "\n\n".join([examples_of(*examples), "[bold]Config groups[/] (GROUP=NAME)", *lines])


def examples_of(*examples: str) -> str:
    return "\n\n".join(["[bold]Examples[/]", *examples])
