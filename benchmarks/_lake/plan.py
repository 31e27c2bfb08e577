"""How much a part measures, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Plan"]

_QUICK_SHARE = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """How much a part measures, and where.

    Parameters
    ----------
    folder : Path
        Exists, is the part's own, and is removed afterwards.
    rounds : int
        Measurements of each thing.
    quick : bool
        Whether to see only if it works.
    say : callable
        Called with what is going on, one short line at a time.
    notes : list of str
        Sentences a reader needs to judge the figures; a part adds its own.
    """

    folder: Path
    rounds: int
    quick: bool
    say: Callable[[str], None]
    notes: list[str] = field(default_factory=list)

    def rows(self, n_rows: int) -> int:
        """Return this number of rows, or a hundredth when it shall be quick."""
        return n_rows // _QUICK_SHARE if self.quick else n_rows
