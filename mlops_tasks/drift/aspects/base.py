"""What an aspect is, and what those have in common of which only a growth is drift."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mlops_tasks.drift.day_effects import usable_days
from mlops_tasks.drift.effects import CohensH, Effect, Readings
from mlops_tasks.drift.formatting import percent

if TYPE_CHECKING:
    from mlops_tasks.drift.aspects.reference import ReferenceProfiles
    from mlops_tasks.drift.samples import Profiles, TwoSamples

__all__ = ["Aspect", "RareShare"]


class Aspect(ABC):
    """One way to look at columns: how it is read, as which effect, and how it is put into words.

    Attributes
    ----------
    name : str
        What reports call it; no column has two aspects of one name.
    columns : tuple of str
        The columns that are looked at, in the order of all arrays.
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

    @classmethod
    @abstractmethod
    def of(cls, reference: ReferenceProfiles) -> list[Aspect]:
        """Look at all columns of a reference that can be looked at, best in blocks."""

    @abstractmethod
    def read(self, profiles: Profiles) -> Readings:
        """Read profiles that are none of the days; axes are profiles, columns and values."""

    @abstractmethod
    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write what changed in the column at place i, the reference first."""


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

    def _learn(self, days: Readings) -> None:
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
        self.reference = Readings(expected, total[None], np.zeros_like(total)[None], n_all[None])
