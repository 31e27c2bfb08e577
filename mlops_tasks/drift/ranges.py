"""Numbers outside the range of the reference, where nearly every number is a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.gauges import Readings
from mlops_tasks.drift.rare_shares import RareShares
from mlops_tasks.profiles.alignment import places, stacked
from mlops_tasks.profiles.numeric import COUNTS, MOMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.drift.columns import Floats
    from mlops_tasks.profiles import Profile

__all__ = ["NumbersBeyond", "far_ends"]

_FINITE = COUNTS.index("n_finite")
_MIN, _MAX = MOMENTS.index("minimum"), MOMENTS.index("maximum")


class NumbersBeyond(RareShares):
    """Rows far below or far above all numbers of the reference.

    Parameters
    ----------
    days : sequence of Profile
        Of the reference, at least three.
    names : tuple of str
        Columns of numbers.

    Attributes
    ----------
    low, high : array of shape (n_names,)
        Numbers below and above are far out: as far from the reference's smallest number as the
        smallest of its days differ, and likewise above.

    Notes
    -----
    The days' own extremes differ, and a new day's may lie beyond them all without drift. Each day
    is held against the others in the same way. Ends are exact, the rows beyond them are told from
    the points of the sketch, and are one at least. A point counts as a row.
    """

    def __init__(self, days: Sequence[Profile], names: tuple[str, ...]) -> None:
        self._columns = names
        low, high = far_ends(days, names)
        self.low, self.high = low[0], high[0]
        super().__init__("unseen", names, self._read(days, low[1:], high[1:]))

    def read_new(self, profiles: Sequence[Profile]) -> Readings:
        """Read profiles that are none of the days."""
        return self._read(profiles, self.low[None], self.high[None])

    def _read(self, profiles: Sequence[Profile], low: Floats, high: Floats) -> Readings:
        parts, names = [one.numbers for one in profiles], self._columns
        begins, sizes = places(parts, names)
        n = stacked(parts, names, "counts")[:, :, _FINITE].astype(float)
        low, high = np.broadcast_to(low, n.shape), np.broadcast_to(high, n.shape)
        lowest, highest = _ends(profiles, names)
        shares = np.zeros_like(n)
        for day, i in np.argwhere((lowest < low) | (highest > high)).tolist():
            begin, size = begins[day, i], sizes[day, i]
            points = parts[day].points[begin : begin + size]
            n_out = np.count_nonzero((points < low[day, i]) | (points > high[day, i]))
            shares[day, i] = max(n_out / size, 1 / n[day, i])
        return Readings(shares[:, :, None], sizes.astype(float), np.zeros_like(n), n)


def far_ends(days: Sequence[Profile], names: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Find what is far out of the numbers of some days.

    Parameters
    ----------
    days : sequence of Profile
        Of a reference, at least three.
    names : tuple of str
        Columns of numbers.

    Returns
    -------
    tuple of array of shape (1 + n_days, n_names)
        Numbers below the first and above the second are far out: as far from the smallest of all
        days as the smallest of each differ, and likewise above. First for all days, then without
        each. NaN where there are no numbers: nothing is far from them.
    """
    lowest, highest = _ends(days, names)
    return _far_below(lowest), -_far_below(-highest)


def _ends(profiles: Sequence[Profile], names: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Return minima and maxima, NaN where there is no number."""
    parts = [one.numbers for one in profiles]
    there = stacked(parts, names, "counts")[:, :, _FINITE] > 0
    moments = stacked(parts, names, "moments")
    return tuple(np.where(there, moments[:, :, at], np.nan) for at in (_MIN, _MAX))  # type: ignore[return-value]


def _far_below(smallest: Floats) -> Floats:
    """Return what is far below the smallest numbers of all days, then of all but each of them."""
    ordered = np.sort(smallest, axis=0)  # days without any come last
    last = np.maximum((~np.isnan(smallest)).sum(axis=0) - 1, 0)[None]
    first, second = ordered[:1], ordered[1:2]
    largest = np.take_along_axis(ordered, last, axis=0)
    before = np.take_along_axis(ordered, np.maximum(last - 1, 0), axis=0)
    least = np.where(smallest == first, second, first)
    most = np.where(smallest == largest, before, largest)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.concatenate([2 * first - largest, 2 * least - most])
