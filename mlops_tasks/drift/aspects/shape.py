"""The shape of a column of numbers: its distribution function at 32 cuts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.aspects.base import Aspect, in_blocks
from mlops_tasks.drift.distributions import NumberColumns
from mlops_tasks.drift.effects import CohensH, Readings, never_certain
from mlops_tasks.drift.formatting import change

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.drift.aspects.base import ReferenceProfiles
    from mlops_tasks.drift.distributions import Floats
    from mlops_tasks.drift.two_samples import TwoSamples
    from mlops_tasks.profiles import Profile

__all__ = ["Shape"]

# Cuts of a column of numbers: at 31 quantiles, below its minimum and at its maximum.
_N_CUTS = 32
# `rank_error` is the largest error of a share; errors up to it are about equally likely.
_SD_PER_RANK_ERROR = 1 / math.sqrt(3)


class Shape(Aspect):
    """Shares of the rows below quantiles of the reference."""

    name = "shape"

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> Iterable[Aspect]:
        """Look at columns of numbers that have any."""
        return [cls(reference, columns) for columns in in_blocks(reference.numbers)]

    def __init__(self, reference: ReferenceProfiles, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._cuts = _cuts(NumberColumns.of([reference.whole], columns))
        self.reference = self.read([reference.whole])
        shares = never_certain(self.reference)
        self.effect = CohensH(_weights(self._cuts), shares, is_ordered=True)
        self.days = self.read(reference.days)

    def read(self, profiles: Sequence[Profile]) -> Readings:
        """Read the shares below the cuts."""
        numbers = NumberColumns.of(profiles, self.columns)
        spread = (numbers.rank_error * _SD_PER_RANK_ERROR) ** 2
        return Readings(numbers.cdf(self._cuts), numbers.n_present, spread)

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write how some percentiles changed."""
        changes = zip(("10th", "50th", "90th"), *samples.percentiles[self.columns[i]], strict=True)
        return "percentiles " + ", ".join(f"{which} {change(a, b)}" for which, a, b in changes)


def _cuts(whole: NumberColumns) -> Floats:
    """Return where columns are cut, in order; cuts may coincide."""
    inner = whole.quantiles(np.arange(1, _N_CUTS) / _N_CUTS)[0]
    low, high = (end[0, :, None] for end in whole.ends)
    with np.errstate(over="ignore"):  # below the smallest double lies infinity, as it should
        below, upper = np.nextafter(low, -np.inf), np.concatenate([inner, high], axis=1)
        return np.concatenate([below - _last_digits(below), upper + _last_digits(upper)], axis=1)


def _last_digits(values: Floats) -> Floats:
    """Return how far the same number may be off when it is computed another way; whole ones not."""
    return np.where(np.rint(values) == values, 0.0, np.abs(values) * 2.0**-22)


def _weights(cuts: Floats) -> Floats:
    """Weigh all cuts alike; of those that coincide, the first stands for all."""
    is_first = np.ones(cuts.shape, bool)
    is_first[:, 1:] = cuts[:, 1:] != cuts[:, :-1]
    first = np.maximum.accumulate(np.where(is_first, np.arange(cuts.shape[1]), 0), axis=1)
    counts = np.zeros(cuts.shape)
    np.add.at(counts, (np.arange(len(cuts))[:, None], first), 1.0)
    return np.asarray(counts / cuts.shape[1])
