"""Where commands print to."""

from __future__ import annotations

from rich.console import Console

__all__ = ["output"]

_WIDTH = 120


def output(*, stderr: bool = False) -> Console:
    """Return a console as wide as the terminal; a file or a log has no width, and gets 120."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=_WIDTH)
