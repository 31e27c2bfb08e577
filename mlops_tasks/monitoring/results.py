"""What monitoring finds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Check", "MonitorResult"]


@dataclass(frozen=True, slots=True)
class Check:
    """One number against its threshold, with the sentence a person reads.

    ``value`` is None when there was too little data to tell; such a check never alarms.
    """

    name: str
    value: float | None
    threshold: float
    alarm: bool
    text: str


@dataclass(frozen=True, slots=True)
class MonitorResult:
    """The checks of one day, with the window they looked at.

    Set when they are recorded: ``known_at``, the day by which their data were known, and
    ``corrects``, the number of the entry in the ledger that they correct.
    """

    first: str
    last: str
    n_rows: int
    model_version: str
    checks: tuple[Check, ...]
    coverage: float | None = None
    report: str = ""
    known_at: str = ""
    corrects: int | None = None

    @property
    def alarms(self) -> tuple[Check, ...]:
        """The checks that alarm."""
        return tuple(check for check in self.checks if check.alarm)
