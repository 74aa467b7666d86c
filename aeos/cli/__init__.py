"""The command line: one thin command a job, and what is done with the runs they leave."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from aeos import ranks
from aeos.cli import jobs, results, sweeps  # noqa: F401  (they add their commands)
from aeos.cli.app import app

INTERRUPTED, TERMINATED = 130, 143


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
    """Entry point. Exit codes: 0 done, 2 the user's mistake, 1 any other fault, 130 interrupted, 143 terminated."""
    ranks.mute()
    with _stoppable() as heard:
        try:
            ranks.check(sys.argv[1:])
            code = app(prog_name="aeos", standalone_mode=False) or 0
        except KeyboardInterrupt:
            code = INTERRUPTED
        except Exception as error:
            code = INTERRUPTED if heard else _report(error)  # libraries make other errors of a Ctrl-C
        if code == INTERRUPTED:  # which is also what Typer makes of Ctrl-C
            code, word = (TERMINATED, "terminated") if signal.SIGTERM in heard else (INTERRUPTED, "interrupted")
            print(f"aeos: {word}; the same command continues", file=sys.stderr)
    sys.exit(code)


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """SIGTERM in here is a Ctrl-C, whatever that does at the moment; yields the signals that stopped us, none at first.

    A Ctrl-C that is ignored, as for a command that a script leaves behind, stays so.
    """
    heard: list[int] = []

    def interrupt(number: int, frame: Any) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    def terminate(number: int, frame: Any) -> None:
        heard.append(number)
        listening = signal.getsignal(signal.SIGINT)
        (listening if callable(listening) else interrupt)(signal.SIGINT, frame)

    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    before = [signal.signal(signal.SIGTERM, terminate)]
    before += [] if ignored else [signal.signal(signal.SIGINT, interrupt)]
    try:
        yield heard
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=False):
            signal.signal(number, handler)


def _report(error: Exception) -> int:
    from aeos.errors import BadInput, report

    if hasattr(error, "format_message"):  # Typer's own complaint about words it does not know
        text = error.format_message().rstrip(".")
        if not text:  # it has printed the help instead
            return 2
        error = BadInput(f"{text}; `aeos --help` explains")
    return report(error)
