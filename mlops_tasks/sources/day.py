"""The day that is asked for: where it begins and ends, in the dataset's own zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from mlops_tasks.exceptions import PartitionKeyError

__all__ = ["Day"]


@dataclass(frozen=True, slots=True)
class Day:
    """One day, half-open: from its midnight up to, and without, the next one.

    Attributes
    ----------
    partition : str
        The day, ``YYYY-MM-DD``.
    timezone : str
        Name of the zone whose midnights count.

    Examples
    --------
    >>> day = Day("2024-03-10", "America/New_York")
    >>> day.start.isoformat(), day.end.isoformat()
    ('2024-03-10T05:00:00+00:00', '2024-03-11T04:00:00+00:00')
    >>> day.local_end.isoformat()
    '2024-03-11T00:00:00'
    """

    partition: str
    timezone: str = "UTC"

    @property
    def date(self) -> date:
        """The day as a date."""
        return date.fromisoformat(self.partition)

    @property
    def local_start(self) -> datetime:
        """Midnight as the zone's clocks show it, without a zone."""
        return datetime.combine(self.date, datetime.min.time())

    @property
    def local_end(self) -> datetime:
        """The next midnight as the zone's clocks show it, without a zone."""
        try:
            return self.local_start + timedelta(days=1)
        except OverflowError:
            raise self._beyond() from None

    @property
    def start(self) -> datetime:
        """The instant at which the day begins, in UTC."""
        return self._instant(self.local_start)

    @property
    def end(self) -> datetime:
        """The instant at which the next day begins, in UTC."""
        return self._instant(self.local_end)

    def bound(self, name: str) -> datetime | str:
        """Return the value of a query's parameter: an instant, a local time, or the day as text."""
        value: datetime | str = getattr(self, name)
        return value

    def _instant(self, midnight: datetime) -> datetime:
        try:
            return midnight.replace(tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)
        except OverflowError:
            raise self._beyond() from None

    def _beyond(self) -> PartitionKeyError:
        return PartitionKeyError(
            f"day {self.partition} in {self.timezone} does not lie within the years 1 to 9999 in "
            "UTC from its beginning to its end; choose another"
        )
