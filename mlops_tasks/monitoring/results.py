"""What monitoring finds: checks, and all those of one day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Answer", "Check", "MonitorResult"]

Answer = Literal["fine", "alarm", "cannot_tell"]


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
    importance : float or None
        Of a column: multiple of the mean importance that the model gives its columns, if known.
    lower, upper : float or None
        Interval of what was measured, at the level of the check; None where it has none.
    """

    name: str
    value: float | None
    threshold: float
    alarm: bool
    text: str
    importance: float | None = None
    lower: float | None = None
    upper: float | None = None

    @property
    def answer(self) -> Answer:
        """One of three: what was not measured is neither fine nor an alarm."""
        if self.alarm:
            return "alarm"
        return "fine" if self.value is not None else "cannot_tell"


@dataclass(frozen=True, slots=True)
class MonitorResult:
    """The checks of one day, with the window they looked at.

    Attributes
    ----------
    first, last : str
        First and last day of the window, both inclusive.
    n_rows : int
        Rows that were looked at.
    model_version : str
        The version that scored the last day.
    checks : tuple of Check
        Strongest first.
    coverage : float or None
        Share of the last day's predictions whose label is known; None where no label is needed.
    report : str
        Address of the page, relative to the lake; empty without one.
    known_at : str
        Set when it is recorded: the day by which its data were known.
    corrects : int or None
        Set when it is recorded: number of the entry in the ledger that it corrects.
    """

    first: str
    last: str
    n_rows: int
    model_version: str
    checks: tuple[Check, ...]
    coverage: float | None = None
    report: str = ""
    known_at: str = ""
    gaps: str = ""
    corrects: int | None = None

    @property
    def alarms(self) -> tuple[Check, ...]:
        """The checks that alarm."""
        return tuple(check for check in self.checks if check.alarm)

    @property
    def answer(self) -> Answer:
        """One of three: fine only where something was measured and nothing alarms."""
        if self.alarms:
            return "alarm"
        if not self.checks or all(check.value is None for check in self.checks):
            return "cannot_tell"
        return "fine"
