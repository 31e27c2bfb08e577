"""Which numbers come again and again, and where numbers are far from all that were seen."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.day_effects import usable_days
from mlops_tasks.drift.distributions import NumberColumns
from mlops_tasks.profiles.periods import evenly
from mlops_tasks.profiles.recoding import told_apart

if TYPE_CHECKING:
    from mlops_tasks.drift.aspects.base import ReferenceProfiles
    from mlops_tasks.drift.distributions import Booleans, Floats

__all__ = ["far_ends", "repeating"]

# A column's points are looked at for repeats in this many days, this many of each.
_SAMPLED_DAYS, _SAMPLED_POINTS = 8, 64
_LEAST_REPEATS = 1 / 8


def repeating(reference: ReferenceProfiles) -> tuple[str, ...]:
    """Return the columns whose numbers repeat, if there are days enough to know the usual new ones.

    An eighth of up to 512 points, of 8 of the days, repeat another: whole degrees, codes or minutes
    do. Of a measurement with many digits every number is new, which says nothing.
    """
    names = reference.numbers
    usable = usable_days(NumberColumns.of(reference.days, names).n_present).any(axis=0)
    sample = NumberColumns.of(evenly(reference.days, _SAMPLED_DAYS), names)
    return tuple(compress(names, usable & _repeat(sample)))


def far_ends(days: NumberColumns) -> tuple[Floats, Floats]:
    """Return what is far below and far above the numbers of at least three days.

    As far from the smallest of all days as the smallest of each differ, and likewise above: first
    for all days, then without each. NaN where there are no numbers: nothing is far from them.
    """
    lowest, highest = days.ends
    return _far_below(lowest), -_far_below(-highest)


def _repeat(sample: NumberColumns) -> Booleans:
    """Return which columns have points that repeat another, from a few of each profile."""
    begins, sizes = sample.begins[:, :, None], sample.sizes[:, :, None]
    own = np.arange(_SAMPLED_POINTS)
    place = begins + np.where(sizes > _SAMPLED_POINTS, own * sizes // _SAMPLED_POINTS, own)
    found = np.full(place.shape, np.nan)
    for i, part in enumerate(sample.parts):
        there = own < sizes[i]
        found[i][there] = told_apart(part.points[place[i][there]])
    ordered = np.sort(np.concatenate(list(found), axis=1), axis=1)
    n_repeats = (ordered[:, 1:] == ordered[:, :-1]).sum(axis=1)
    n = np.minimum(sample.sizes, _SAMPLED_POINTS).sum(axis=0)
    return np.asarray((n_repeats > 0) & (n_repeats >= _LEAST_REPEATS * n))


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
