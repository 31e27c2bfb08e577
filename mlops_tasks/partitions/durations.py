"""Durations: how long windows, delays and look-backs are, in hours, days, weeks or months."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions.grains import MONTH

if TYPE_CHECKING:
    from mlops_tasks.partitions.grains import Grain

__all__ = ["Duration", "window_start"]

_WRITTEN = re.compile(r"(\d{1,5}) ?(h|d|w|mo)")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of calendar time: ``36h``, ``7d``, ``8w`` or ``3mo``.

    Attributes
    ----------
    number : int
        How many.
    unit : str
        ``h``, ``d``, ``w`` or ``mo``.

    Examples
    --------
    >>> from mlops_tasks.partitions import DAY, HOUR, WEEK
    >>> Duration.of("2d").steps(HOUR), Duration.of("14d").steps(WEEK)
    (48, 2)
    """

    number: int
    unit: Literal["h", "d", "w", "mo"]

    @classmethod
    def of(cls, written: object) -> Duration:
        """Read a duration."""
        if isinstance(written, Duration):
            return written
        found = _WRITTEN.fullmatch(written.strip()) if isinstance(written, str) else None
        if not found:
            raise ValueError("must be a duration: '36h', '7d', '8w' or '3mo'")
        return cls(int(found[1]), found[2])  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.number}{self.unit}"

    def __bool__(self) -> bool:
        return self.number > 0

    @property
    def days(self) -> int:
        """How many days it touches; a month counts as 30."""
        if self.unit == "h":
            return -(-self.number // 24)
        return self.number * {"d": 1, "w": 7, "mo": 30}[self.unit]

    @property
    def words(self) -> str:
        """What people call it, as ``7 days``."""
        one = {"h": "hour", "d": "day", "w": "week", "mo": "month"}[self.unit]
        return f"{self.number} {one}" + ("s" if self.number != 1 else "")

    def fits(self, grain: Grain) -> bool:
        """Whether it is a whole number of partitions."""
        if grain is MONTH or self.unit == "mo":
            return not self.number or (grain is MONTH and self.unit == "mo")
        return not self.number * _UNITS[self.unit] % grain.period

    def steps(self, grain: Grain) -> int:
        """Return how many partitions it is, exactly."""
        if not self.fits(grain):
            raise ValueError(f"{self} is no whole number of {grain.name}s")
        if not self.number or self.unit == "mo":
            return self.number
        return self.number * _UNITS[self.unit] // grain.period

    def before(self, moment: datetime) -> datetime:
        """Return the local time so long before another one, by the calendar.

        A month before the 31st of March is the last day of February.
        """
        if self.unit != "mo":
            return moment - self.number * _UNITS[self.unit]
        months = moment.year * 12 + moment.month - 1 - self.number
        first = moment.replace(year=months // 12, month=months % 12 + 1, day=1)
        following = (first + timedelta(days=32)).replace(day=1)
        return first.replace(day=min(moment.day, (following - first).days))


def window_start(grain: Grain, last: str, length: Duration) -> str:
    """Return the first partition of a window, by the calendar: it may have gaps.

    Parameters
    ----------
    grain : Grain
        What the partitions are.
    last : str
        The last one, inclusive.
    length : Duration
        How far back the window goes from the end of the last one.

    Returns
    -------
    str
        The partition in which the window begins.

    Examples
    --------
    >>> from mlops_tasks.partitions import DAY, WEEK
    >>> window_start(DAY, "2024-03-01", Duration.of("7d"))
    '2024-02-24'
    >>> window_start(WEEK, "2024-03-25", Duration.of("60d"))  # the week in which it begins
    '2024-01-29'
    """
    try:
        end = grain.begin(grain.number(grain.begins(last)) + 1)
        return min(last, grain.key_at(length.before(end)))
    except (OverflowError, ValueError):
        raise PartitionKeyError(
            f"a window of {length} up to {last} is outside the calendar, which has the years 1 to "
            "9999"
        ) from None
