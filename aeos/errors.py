"""How things go wrong: the user's mistakes are BadInput, and whatever happens is reported in one line, once."""

import difflib
import errno
import os
import sys
import traceback
from collections.abc import Iterable

#: A disk that takes no more: nobody's fault, and the user's to mend.
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class BadInput(ValueError):
    """Something the user gave cannot work. Its text is the whole message: one line that names the key and a remedy."""


def suggest(wrong: str, names: Iterable[str], most: int = 1) -> str:
    """`; did you mean …?` when names are close, else the empty string."""
    close = difflib.get_close_matches(wrong, list(names), n=most, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def report(error: Exception) -> int:
    """Say it on stderr in one line, unless that was done already; AEOS_DEBUG=1 shows the traceback first.

    Returns the exit code: 2 for what the user can mend, 1 for a fault of ours or of the machine.
    """
    if not getattr(error, "reported", False):
        error.reported = True  # type: ignore[attr-defined]
        if os.environ.get("AEOS_DEBUG"):
            traceback.print_exception(error)
        hint = "" if mendable(error) else " (AEOS_DEBUG=1 shows where)"
        print(f"aeos: {told(error)}{hint}", file=sys.stderr)
    return 2 if mendable(error) else 1


def mendable(error: Exception) -> bool:
    """Whether it is for the user to mend: a mistake, or a disk that is full."""
    return isinstance(error, BadInput) or (isinstance(error, OSError) and error.errno in DISK)


def told(error: Exception) -> str:
    """An error in one line; those that are not the user's say their kind."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and mendable(error):
        return f"{error.filename or 'the disk'}: {error.strerror}: see to that, then the same command continues"
    return text if isinstance(error, BadInput) else f"{type(error).__name__}: {text}"
