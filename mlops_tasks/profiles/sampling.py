"""A few of many days, that no weekday is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["evenly"]

Item = TypeVar("Item")

_WEEK = 7


def evenly(items: Sequence[Item], n: int) -> tuple[Item, ...]:
    """Take n of the items, nearly at equal distances and in their order, or all of fewer.

    Every place in a week is taken equally often: steps of seven days would take Mondays only.

    >>> evenly("abcdef", 3)
    ('a', 'c', 'e')
    """
    n = min(n, len(items))
    taken, n_taken = [], [0] * _WEEK
    for i in range(n):
        stretch = range(i * len(items) // n, (i + 1) * len(items) // n)
        place = min(stretch, key=lambda j: n_taken[j % _WEEK])
        n_taken[place % _WEEK] += 1
        taken.append(items[place])
    return tuple(taken)
