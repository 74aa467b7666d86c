"""The command line: one thin command a job, and what is done with the runs they leave."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from aeos.cli import jobs, results  # noqa: F401  (they add their commands)
from aeos.cli.app import app

INTERRUPTED = 130


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"aeos {version('aeos')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and stop.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point. Exit codes: 0 done, 2 the user's mistake, 1 any other fault, 130 interrupted."""
    try:
        code = app(prog_name="aeos", standalone_mode=False) or 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        code = _report(error)
    if code == INTERRUPTED:  # which is also what Typer makes of Ctrl-C
        print("aeos: interrupted; the same command continues", file=sys.stderr)
    sys.exit(code)


def _report(error: Exception) -> int:
    from aeos.errors import BadInput, report

    if hasattr(error, "format_message"):  # Typer's own complaint about words it does not know
        text = error.format_message().rstrip(".")
        if not text:  # it has printed the help instead
            return 2
        error = BadInput(f"{text}; `aeos --help` explains")
    return report(error)
