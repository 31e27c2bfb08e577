"""Shape and level of columns of numbers: their distribution functions, and their means."""

from __future__ import annotations

import math

import numpy as np

from mlops_tasks.drift.aspects.base import Aspect, ReferenceProfiles
from mlops_tasks.drift.effects import CohensD, CohensH, Readings, never_certain
from mlops_tasks.drift.formatting import change
from mlops_tasks.drift.samples import Floats, NumberSamples, Profiles, TwoSamples

__all__ = ["Level", "Shape"]

# Cuts of a column of numbers: at 31 quantiles, below its minimum and at its maximum.
_N_CUTS = 32
# `rank_error` is the largest error of a share; errors up to it are about equally likely.
_SD_PER_RANK_ERROR = 1 / math.sqrt(3)


class Shape(Aspect):
    """Shares of the rows below quantiles of the reference."""

    name = "shape"

    def learn(self, reference: ReferenceProfiles) -> None:
        """Cut the whole reference into equal parts."""
        self._cuts = _cuts(NumberSamples([reference.whole], self.columns))
        self.reference = self.read([reference.whole])
        shares = never_certain(self.reference)
        self.effect = CohensH(_weights(self._cuts), shares, is_ordered=True)
        self.days = self.read(reference.days)

    def read(self, profiles: Profiles) -> Readings:
        """Read the shares below the cuts."""
        numbers = NumberSamples(profiles, self.columns)
        spread = (numbers.rank_error * _SD_PER_RANK_ERROR) ** 2
        return Readings(numbers.cdf(self._cuts), numbers.n_present, spread)

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write how some percentiles changed."""
        changes = zip(("10th", "50th", "90th"), *samples.percentiles[self.columns[i]], strict=True)
        return "percentiles " + ", ".join(f"{which} {change(a, b)}" for which, a, b in changes)


class Level(Aspect):
    """The mean, in standard deviations."""

    name = "level"

    def learn(self, reference: ReferenceProfiles) -> None:
        """Expect the mean of the whole reference."""
        self.effect = CohensD()
        self.reference, self.days = self.read([reference.whole]), self.read(reference.days)

    def read(self, profiles: Profiles) -> Readings:
        """Read means and variances."""
        numbers = NumberSamples(profiles, self.columns)
        return Readings(numbers.mean[:, :, None], numbers.n_present, numbers.variance)

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write how the mean changed, and by how many standard deviations."""
        at = samples.numbers.names.index(self.columns[i])
        old, new = samples.numbers.mean[:, at].tolist()
        spread = math.sqrt(max(0.0, *samples.numbers.variance[:, at].tolist()))  # as the effect has
        moved = f" ({(new - old) / spread:+.2f} standard deviations)" if spread > 0 else ""
        return f"mean {change(old, new)}{moved}"


def _cuts(whole: NumberSamples) -> Floats:
    """Return where columns are cut, in order; cuts may coincide."""
    inner = whole.quantiles(np.arange(1, _N_CUTS) / _N_CUTS)[0]
    low, high = whole.low[0, :, None], whole.high[0, :, None]
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
