"""The profiles of a reference, and the columns of it that there are to look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.aspects.category_rows import CategoryRows
from mlops_tasks.drift.day_effects import usable_days
from mlops_tasks.drift.samples import Booleans, CategorySamples, NumberSamples, Profiles
from mlops_tasks.profiles.recoding import single_precision
from mlops_tasks.profiles.sampling import evenly

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlops_tasks.profiles import Profile

__all__ = ["ReferenceProfiles", "in_blocks"]

# Columns that are read together: their arrays stay in a processor's cache.
_BLOCK = 32
# A column's points are looked at for repeats in this many days, this many of each.
_SAMPLED_DAYS, _SAMPLED_POINTS = 8, 64
_LEAST_REPEATS = 1 / 8


@dataclass(frozen=True)
class ReferenceProfiles:
    """Of the whole reference, and of its days; without any the whole counts as a single one."""

    whole: Profile
    days: Profiles

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Columns with a finite number; instants are none, they move on by themselves."""
        names = self.whole.numbers.names
        columns = NumberSamples.of([self.whole], names)
        return tuple(compress(names, (columns.n_present[0] > 0) & ~columns.is_time[0]))

    @cached_property
    def category_rows(self) -> list[CategoryRows]:
        """The rows by category of the columns that have any, in blocks."""
        names = self.whole.categories.names
        some = compress(names, CategorySamples.of([self.whole], names).n_present[0] > 0)
        return [CategoryRows(self.whole, block) for block in in_blocks(some)]

    @cached_property
    def repeating(self) -> tuple[str, ...]:
        """Columns whose numbers repeat, if there are days enough to know the usual new ones.

        An eighth of up to 512 points, of 8 of the days, repeat another: whole degrees, codes or
        minutes do. Of a measurement with many digits every number is new, which says nothing.
        """
        usable = usable_days(NumberSamples.of(self.days, self.numbers).n_present).any(axis=0)
        sample = NumberSamples.of(evenly(self.days, _SAMPLED_DAYS), self.numbers)
        return tuple(compress(self.numbers, usable & _repeat(sample)))


def in_blocks(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Cut columns into blocks to be read together."""
    own = tuple(names)
    return (own[i : i + _BLOCK] for i in range(0, len(own), _BLOCK))


def _repeat(sample: NumberSamples) -> Booleans:
    """Return which columns have points that repeat another, from a few of each profile."""
    begins, sizes = sample.begins[:, :, None], sample.sizes[:, :, None]
    own = np.arange(_SAMPLED_POINTS)
    place = begins + np.where(sizes > _SAMPLED_POINTS, own * sizes // _SAMPLED_POINTS, own)
    found = np.full(place.shape, np.nan)
    for i, part in enumerate(sample.parts):
        there = own < sizes[i]
        found[i][there] = single_precision(part.points[place[i][there]])
    ordered = np.sort(np.concatenate(list(found), axis=1), axis=1)
    n_repeats = (ordered[:, 1:] == ordered[:, :-1]).sum(axis=1)
    n = np.minimum(sample.sizes, _SAMPLED_POINTS).sum(axis=0)
    return np.asarray((n_repeats > 0) & (n_repeats >= _LEAST_REPEATS * n))
