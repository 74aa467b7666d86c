"""The command, `aeos` or `python -m aeos`: a Ctrl-C while it is read in ends it without a word, one after its end is
too late.
"""

from __future__ import annotations

import signal


def main() -> None:
    hearing = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from aeos.cli import main as command

    signal.signal(signal.SIGINT, hearing)
    try:
        command()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
