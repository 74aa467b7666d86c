"""How things go wrong: the user's mistakes are BadInput, and whatever happens is reported in one line, once."""

import os
import sys
import traceback


class BadInput(ValueError):
    """Something the user gave cannot work. Its text is the whole message: one line that names the key and a remedy."""


def report(error: Exception) -> int:
    """Say it on stderr in one line, unless that was done already; AEOS_DEBUG=1 shows the traceback first.

    Returns the exit code: 2 for what the user can mend, 1 for a fault of ours or of the machine.
    """
    ours = not isinstance(error, BadInput)
    if not getattr(error, "reported", False):
        error.reported = True  # type: ignore[attr-defined]
        if os.environ.get("AEOS_DEBUG"):
            traceback.print_exception(error)
        text = " ".join(str(error).split())
        text = f"{type(error).__name__}: {text} (AEOS_DEBUG=1 shows where)" if ours else text
        print(f"aeos: {text}", file=sys.stderr)
    return 1 if ours else 2
