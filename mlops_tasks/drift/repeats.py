"""Numbers that come again and again, and how many rows have one that the reference never had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.gauges import Readings
from mlops_tasks.drift.movement import told_days
from mlops_tasks.drift.ranges import far_ends
from mlops_tasks.drift.rare_shares import RareShares
from mlops_tasks.profiles.alignment import places, stacked
from mlops_tasks.profiles.numeric import COUNTS
from mlops_tasks.profiles.periods import evenly
from mlops_tasks.profiles.quantiles import middles
from mlops_tasks.profiles.recoding import single_precision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from mlops_tasks.drift.columns import Floats
    from mlops_tasks.profiles import Profile
    from mlops_tasks.profiles.numeric import NumericColumns

__all__ = ["RepeatedNumbers", "known_numbers"]

_FINITE = COUNTS.index("n_finite")
# A column's points are looked at for repeats in so many days, so many of each.
_SAMPLED_DAYS, _SAMPLED_POINTS = 8, 64
_LEAST_REPEATS = 1 / 8
# Numbers are dense between these quantiles of the days' points.
_DENSE = (1 / 32, 31 / 32)


def known_numbers(days: Sequence[Profile]) -> dict[str, Floats]:
    """Find the columns whose numbers repeat, and the numbers that the days had.

    Parameters
    ----------
    days : sequence of Profile
        Of a reference; fewer than 5 cannot tell how many new numbers a day has.

    Returns
    -------
    dict of str to array of float64
        By column: the different numbers among the points of all days, in order. A column is here
        when an eighth of up to 512 points, of 8 of its days, repeat another: whole degrees, codes
        or minutes do. Of a measurement with many digits every number is new, which tells nothing.

    Notes
    -----
    A number is known by its `single_precision`: to compute the same one another way is no drift.
    """
    if not days:
        return {}
    parts = [day.numbers for day in days]
    names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    is_told = told_days(stacked(parts, names, "counts")[:, :, _FINITE]).any(axis=0)
    is_time = stacked(parts, names, "is_time").any(axis=0)
    wanted = is_told & ~is_time & _repeats(evenly(parts, _SAMPLED_DAYS), names)
    own = tuple(np.array(names, object)[wanted].tolist())
    found = _points(parts, own, _typical_points(parts, own))
    return {name: np.unique(points) for name, (points, _) in found.items()}


class RepeatedNumbers(RareShares):
    """Rows with a number that the reference never had, in columns whose numbers repeat.

    Parameters
    ----------
    known : mapping of str to array
        As `known_numbers` finds them.
    days : sequence of Profile
        The days that they were found in.

    Notes
    -----
    As with unseen categories: none of the reference's own days has a new number, the next day may.
    So of each day, the numbers count as new that no other day has. They must lie where numbers are
    dense, or far out (`far_ends`): a day warmer than all others has new degrees just beyond the
    others', and gaps between the others' tails, without any drift. What is read is the share among
    the points of a sketch, rows that lie evenly in order; that they are not all rows is part of the
    noise. No profile is read at more points than a typical day of the reference has: the more there
    are, the further they reach into the tails, where new numbers are. A point counts as a row.
    """

    def __init__(self, known: Mapping[str, Floats], days: Sequence[Profile]) -> None:
        self._columns = tuple(known)
        self._known = known
        self._n_points = _typical_points([day.numbers for day in days], tuple(known))
        self._low, self._high = far_ends(days, self._columns)
        points = _points([day.numbers for day in days], self._columns, self._n_points)
        self._dense = [
            np.quantile(values, _DENSE, method="inverted_cdf") for values, _ in points.values()
        ]
        super().__init__("unseen", self._columns, self._read(days, is_own=True))

    def read_new(self, profiles: Sequence[Profile]) -> Readings:
        """Read profiles that are none of the days."""
        return self._read(profiles, is_own=False)

    def _read(self, profiles: Sequence[Profile], *, is_own: bool) -> Readings:
        parts, names = [one.numbers for one in profiles], self._columns
        n_points = np.minimum(places(parts, names)[1], self._n_points).astype(float)
        n_new = np.zeros_like(n_points)
        points = _points(parts, names, self._n_points)
        for i, (name, (values, profile)) in enumerate(points.items()):
            known = self._known[name]
            place = np.minimum(known.searchsorted(values), len(known) - 1)
            is_new = known[place] != values
            if is_own:
                had = np.zeros((len(parts), len(known)), bool)
                had[profile, place] = True
                is_new = had.sum(axis=0)[place] == 1
            at = 1 + profile if is_own else 0
            is_new &= (
                ((values >= self._dense[i][0]) & (values <= self._dense[i][1]))
                | (values < self._low[at, i])
                | (values > self._high[at, i])
            )
            n_new[:, i] = np.bincount(profile, is_new, len(parts))
        n_all = stacked(parts, names, "counts")[:, :, _FINITE].astype(float)
        shares = (n_new / np.maximum(n_points, 1))[:, :, None]
        return Readings(shares, n_points, np.zeros_like(n_points), n_all)


def _repeats(parts: Sequence[NumericColumns], names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Tell which columns have points that repeat another, from a few of each part."""
    begins, sizes = places(parts, names)
    own, begin, size = np.arange(_SAMPLED_POINTS), begins[:, :, None], sizes[:, :, None]
    place = begin + np.where(size > _SAMPLED_POINTS, own * size // _SAMPLED_POINTS, own)
    found = np.full((len(names), len(parts), _SAMPLED_POINTS), np.nan)
    for i, part in enumerate(parts):
        there = own < size[i]
        found[:, i][there] = single_precision(part.points[place[i][there]])
    ordered = np.sort(found.reshape(len(names), len(parts) * _SAMPLED_POINTS), axis=1)
    n_repeats = (ordered[:, 1:] == ordered[:, :-1]).sum(axis=1)
    n = np.minimum(sizes, _SAMPLED_POINTS).sum(axis=0)
    return np.asarray((n_repeats > 0) & (n_repeats >= _LEAST_REPEATS * n))


def _typical_points(
    parts: Sequence[NumericColumns], names: tuple[str, ...]
) -> npt.NDArray[np.int64]:
    """Return the median number of points of each column, over the days that tell."""
    sizes = places(parts, names)[1]
    n = stacked(parts, names, "counts")[:, :, _FINITE]
    told = np.where(told_days(n), sizes, np.nan)
    return np.nanmedian(told, axis=0).astype(np.int64)


def _points(
    parts: Sequence[NumericColumns], names: tuple[str, ...], limits: npt.NDArray[np.int64]
) -> dict[str, tuple[Floats, npt.NDArray[np.int64]]]:
    """Gather some points of each column, and which part each belongs to."""
    begins, sizes = places(parts, names)
    columns = zip(names, begins.T.tolist(), sizes.T.tolist(), limits.tolist(), strict=True)
    found = {}
    for name, begin, size, limit in columns:
        own = [
            part.points[a : a + n][middles(n, limit) if n > limit else slice(None)]
            for part, a, n in zip(parts, begin, size, strict=True)
        ]
        of_part = np.repeat(np.arange(len(parts)), np.minimum(size, limit))
        found[name] = single_precision(np.concatenate(own)), of_part
    return found
