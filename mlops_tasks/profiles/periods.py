"""Whole months and weeks of a window, and the days at its edges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Period", "cover", "evenly"]

Item = TypeVar("Item")

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Neighbouring days.

    Attributes
    ----------
    name : str
        ``2013-01`` for a month, ``2013-W05`` for a week (ISO 8601), the day itself for one.
    first, last : str
        Days, both inclusive.
    """

    name: str
    first: str
    last: str


def cover(first: str, last: str) -> list[Period]:
    """Cut a window into as few months, weeks and days as there are whole ones.

    Parameters
    ----------
    first, last : str
        Days, both inclusive.

    Returns
    -------
    list of Period
        In order, without a gap; a month is never cut into weeks.

    Examples
    --------
    >>> [period.name for period in cover("2013-01-20", "2013-03-01")][:3]
    ['2013-01-20', '2013-W04', '2013-01-28']
    >>> [period.name for period in cover("2013-02-01", "2013-04-01")]
    ['2013-02', '2013-03', '2013-04-01']
    """
    begin, end = date.fromisoformat(first), date.fromisoformat(last) + _DAY
    firsts = [begin] if begin.day == 1 else []
    while (after := _next_month(firsts[-1] if firsts else begin)) <= end:
        firsts.append(after)
    if len(firsts) < 2:
        return _weeks(begin, end)
    months = [Period(f"{a:%Y-%m}", *_ends(a, b)) for a, b in pairwise(firsts)]
    return [*_weeks(begin, firsts[0]), *months, *_weeks(firsts[-1], end)]


def evenly(items: Sequence[Item], n: int) -> tuple[Item, ...]:
    """Take n of the items, nearly at equal distances, or all if there are no more.

    Every place in a week is taken equally often: steps of seven days would take Mondays only.

    Parameters
    ----------
    items : sequence
        In any order.
    n : int
        How many, at least 1.

    Returns
    -------
    tuple
        In the order of the items.

    Examples
    --------
    >>> evenly("abcdef", 3)
    ('a', 'c', 'e')
    """
    n = min(n, len(items))
    taken, n_taken = [], [0] * _WEEK.days
    for i in range(n):
        stretch = range(i * len(items) // n, (i + 1) * len(items) // n)
        place = min(stretch, key=lambda j: n_taken[j % _WEEK.days])
        n_taken[place % _WEEK.days] += 1
        taken.append(items[place])
    return tuple(taken)


def _weeks(begin: date, end: date) -> list[Period]:
    """Cut the days from `begin` up to the one before `end`."""
    found = []
    while begin < end:
        is_week = begin.weekday() == 0 and begin + _WEEK <= end
        after = begin + (_WEEK if is_week else _DAY)
        name = f"{begin:%G-W%V}" if is_week else begin.isoformat()
        found.append(Period(name, *_ends(begin, after)))
        begin = after
    return found


def _ends(begin: date, after: date) -> tuple[str, str]:
    return begin.isoformat(), (after - _DAY).isoformat()


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
