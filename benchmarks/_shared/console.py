"""What a benchmark prints: tables, and a line with the time now and then."""

from __future__ import annotations

import sys
import time

from rich.console import Console

__all__ = ["console", "say"]

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_STARTED = time.monotonic()


def say(text: str) -> None:
    """Print a line with the time it came.

    Parameters
    ----------
    text : str
        What happens now.
    """
    elapsed = int(time.monotonic() - _STARTED)
    console.print(f"{elapsed // 60:3d}:{elapsed % 60:02d}  {text}", markup=False, soft_wrap=True)
