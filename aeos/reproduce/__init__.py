"""Every claim re-measured by one command: runs, figures, verdicts, one report."""

from aeos.reproduce.command import reproduce

__all__ = ["reproduce"]
