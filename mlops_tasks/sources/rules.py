"""What the contract of one column allows beyond its own type."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a column's contract allows beyond its own type.

    Attributes
    ----------
    given : str or None
        ``decimal`` or ``date`` if the contract has such a source type converted.
    timezone : str or None
        Zone of times without one.
    """

    given: str | None = None
    timezone: str | None = None
