"""One number against its threshold."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """One number against its threshold, with the sentence a person reads.

    Attributes
    ----------
    name : str
        What was measured; a column for drift.
    value : float or None
        None when there was too little data to tell; such a check never alarms.
    threshold : float
        Where the alarm begins.
    alarm : bool
        Whether it does.
    text : str
        The sentence.
    """

    name: str
    value: float | None
    threshold: float
    alarm: bool
    text: str
