"""What an aspect is, what it learns from, and what those share of which only a growth is drift."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mlops_tasks.drift.aspects.category_rows import CategoryRows
from mlops_tasks.drift.day_effects import DayEffect, day_effect, usable_days
from mlops_tasks.drift.effects import CohensH, Effect, Readings
from mlops_tasks.drift.formatting import percent
from mlops_tasks.drift.samples import CategorySamples, Floats, NumberSamples, Profiles, TwoSamples
from mlops_tasks.profiles.sampling import evenly

if TYPE_CHECKING:
    from mlops_tasks.profiles import Profile

__all__ = ["Aspect", "RareShare", "ReferenceProfiles"]

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
        columns = NumberSamples([self.whole], names)
        return tuple(compress(names, (columns.n_present[0] > 0) & ~columns.is_time[0]))

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Columns with a category."""
        names = self.whole.categories.names
        return tuple(compress(names, CategorySamples([self.whole], names).n_present[0] > 0))

    @cached_property
    def category_rows(self) -> CategoryRows:
        """The rows by category of these columns."""
        return CategoryRows(self.whole, self.categories)

    @cached_property
    def repeating(self) -> tuple[str, ...]:
        """Columns whose numbers repeat, if there are days enough to know the usual new ones.

        An eighth of up to 512 points, of 8 of the days, repeat another: whole degrees, codes or
        minutes do. Of a measurement with many digits every number is new, which says nothing.
        """
        usable = usable_days(NumberSamples(self.days, self.numbers).n_present).any(axis=0)
        sample = NumberSamples(evenly(self.days, _SAMPLED_DAYS), self.numbers)
        points = sample.few_points([_SAMPLED_POINTS] * len(self.numbers))
        repeats = [_repeat(own) for own, _ in points]
        return tuple(compress(self.numbers, usable & np.array(repeats, bool)))


class Aspect(ABC):
    """One way to look at columns: how it is read, as which effect, and how it is put into words.

    Parameters
    ----------
    reference : ReferenceProfiles
        What to learn from.
    columns : tuple of str
        The columns that are looked at, in the order of all arrays.

    Attributes
    ----------
    name : str
        What reports call it; no column has two aspects of one name.
    effect : Effect
        The effect size, with its zero set at the reference.
    reference : Readings
        What a new day of the reference would read on average.
    days : Readings
        What each day of the reference reads, as if it was none of it.
    """

    name: ClassVar[str]
    columns: tuple[str, ...]
    effect: Effect
    reference: Readings
    days: Readings

    def __init__(self, reference: ReferenceProfiles, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self.learn(reference)

    @staticmethod
    def columns_of(reference: ReferenceProfiles) -> tuple[str, ...]:
        """Choose what can be looked at: columns of numbers, unless a class says otherwise."""
        return reference.numbers

    @abstractmethod
    def learn(self, reference: ReferenceProfiles) -> None:
        """Set `effect`, `reference` and `days`."""

    @abstractmethod
    def read(self, profiles: Profiles) -> Readings:
        """Read profiles that are none of the days; axes are profiles, columns and values."""

    @abstractmethod
    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write what changed in the column at place i, the reference first."""

    @cached_property
    def day_effect(self) -> DayEffect:
        """How far the days of the reference are from each other in it."""
        return day_effect(self.effect, self.days)


class RareShare(Aspect):
    """An aspect whose shares are small without drift; less than expected is no drift."""

    def read(self, profiles: Profiles) -> Readings:
        """Read no less than is expected."""
        found = self.read_new(profiles)
        return replace(found, values=np.maximum(found.values, self.reference.values))

    @abstractmethod
    def read_new(self, profiles: Profiles) -> Readings:
        """Read profiles that are none of the days."""

    def usual(self, i: int) -> str:
        """Write what a new day of the reference would have, if anything."""
        share = self.reference.values[0, i, 0]
        return f" ({percent(share)} on the reference's own days)" if share else ""

    def learn_from(self, days: Readings) -> None:
        """Set the zero by what the days read, each as if it was none of the reference."""
        # Days with too few rows count only if there are no others.
        is_day = usable_days(days.n)
        counts = is_day | ~is_day.any(axis=0)
        n = np.where(counts, days.n, 0.0)
        n_all = np.where(counts, days.rows, 0.0).sum(axis=0)
        total, hits = n.sum(axis=0), np.sum(days.values[:, :, 0] * n, axis=0)
        # Half a row, after Jeffreys: that no day had one is no proof that none will.
        share = ((hits + 0.5) / (total + 1))[:, None]
        expected = (hits / np.maximum(total, 1))[None, :, None]
        self.effect, self.days = CohensH(np.ones_like(share), share), days
        self.reference = Readings(expected, total[None], n_all=n_all[None])


def _repeat(points: Floats) -> bool:
    n_repeats = len(points) - len(np.unique(points))
    return 0 < n_repeats >= _LEAST_REPEATS * len(points)
