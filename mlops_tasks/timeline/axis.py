"""The time axis that all strips of the page share, and the scale of the metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.figures import short_number
from mlops_tasks.partitions import DAY, MONTH, WEEK, Partition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mlops_tasks.partitions import Grain

__all__ = ["UNITS", "Axis", "Scale", "Tick"]

#: Along the axis in the coordinates of paths; elsewhere places are shares of the width.
UNITS = 1000
# An axis of at most this number of days has a label at every n-th day, week or month.
_STEPS: tuple[tuple[int, Grain, int], ...] = (
    (9, DAY, 1),
    (18, DAY, 2),
    (63, WEEK, 1),
    (126, WEEK, 2),
    (280, MONTH, 1),
    (560, MONTH, 2),
    (1100, MONTH, 4),
    (3300, MONTH, 12),
)
_EVERY = (10**9, MONTH, 60)
# Labels nearer to an end than this share of the width would leave the page.
_EDGE = 4.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A label of the axis; on narrow screens only every second one is shown."""

    x: float
    text: str
    is_minor: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """From one instant to another one."""

    begin: datetime
    end: datetime
    timezone: str

    def share(self, at: datetime) -> float:
        """Return where an instant is, from 0 to 1; what lies outside is at an end."""
        share = (at - self.begin) / (self.end - self.begin)
        return min(max(share, 0.0), 1.0)

    def x(self, at: datetime) -> float:
        """Return where an instant is in percent of the width."""
        return round(100 * self.share(at), 2)

    def units(self, at: datetime) -> int:
        """Return where an instant is in the coordinates of a path."""
        return round(UNITS * self.share(at))

    @property
    def ticks(self) -> list[Tick]:
        """The labels, at the beginnings of days, weeks or months."""
        n_days = (self.end - self.begin).total_seconds() / 86_400
        _, grain, step = next(one for one in (*_STEPS, _EVERY) if n_days <= one[0])
        low, high = (grain.key_of(at, self.timezone) for at in (self.begin, self.end))
        keys = [key for key in grain.range(low, high) if not grain.number(grain.begins(key)) % step]
        places = [(self.x(Partition(key, self.timezone, grain).start), key) for key in keys]
        inside = [(x, key) for x, key in places if _EDGE <= x <= 100 - _EDGE]
        return [Tick(x, key, bool(n % 2)) for n, (x, key) in enumerate(inside)]


@dataclass(frozen=True, slots=True)
class Scale:
    """From the smallest to the largest value, in pixels from the top."""

    low: float
    high: float
    height: float

    @classmethod
    def of(cls, values: Iterable[float | None], height: float) -> Scale:
        """Take the whole range of what is there, with some room."""
        known = [value for value in values if value is not None] or [0.0, 1.0]
        margin = 0.08 * (max(known) - min(known)) or 0.05 * abs(known[0]) or 0.05
        return cls(min(known) - margin, max(known) + margin, height)

    def y(self, value: float) -> float:
        """Return where a value is; a larger one is higher."""
        return round(self.height * (self.high - value) / (self.high - self.low), 1)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Three labels with their places."""
        values = [self.low + (self.high - self.low) * share for share in (0.9, 0.5, 0.1)]
        return [(self.y(value), short_number(value, 3)) for value in values]
