"""Day effects: how far the days of a reference are from each other, beyond sampling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlops_tasks.drift.effects import Effect, Readings
    from mlops_tasks.drift.samples import Booleans, Floats, Integers

__all__ = ["MIN_DAYS", "DayEffect", "day_effect", "usable_days"]

MIN_DAYS = 5
"""Fewer days cannot show how days differ; then rows count as independent."""

# Fewer rows cannot show how a day differs.
_MIN_ROWS = 5


@dataclass(frozen=True)
class DayEffect:
    """How far the days of a reference are from each other, beyond sampling.

    Attributes
    ----------
    excess : array
        Mean squared effect of being another day, unitless; 0 where days are nothing but samples.
    n_days : array of int
        Days it was seen on; 0 where they were too few.
    largest : array
        Squared effect of the most unusual day, as a multiple of what was to be expected of it.
    """

    excess: Floats
    n_days: Integers
    largest: Floats

    def expected(self, noise: Floats, n_days: float) -> Floats:
        """Return the mean squared effect without drift, of a window of some days."""
        return noise + self.excess * (1 / n_days + 1 / np.maximum(self.n_days, 1))


def day_effect(effect: Effect, days: Readings) -> DayEffect:
    """Compare each day of the reference, along the first axis, with all of its other days.

    This is the design effect of sample surveys (Kish), seen from the data: flights of one day share
    one weather, so 900 of them say less than 900 independent ones.
    """
    is_day = usable_days(days.n)
    days = replace(days, n=np.where(is_day, days.n, 0.0))
    n_days = is_day.sum(axis=0)
    against_rest = 1 + 1 / np.maximum(n_days - 1, 1)
    with np.errstate(all="ignore"):  # of what is no day
        rest = _without_each(effect.pooled(days), days)
        seen, noise = effect.squared(rest, days), effect.noise(rest, days)
        beyond = np.sum(seen - noise, axis=0, where=is_day) / np.maximum(n_days, 1)
        excess = np.maximum(beyond, 0.0) / against_rest
        expected = noise + excess * against_rest
    counts = is_day & (expected > 0)
    ratio = np.divide(seen, expected, out=np.zeros_like(seen), where=counts)
    return DayEffect(excess, n_days, ratio.max(axis=0))


def usable_days(n: Floats) -> Booleans:
    """Return which days, the first axis, have rows enough, where enough days have."""
    is_day = n >= _MIN_ROWS
    return np.asarray(is_day & (is_day.sum(axis=0) >= MIN_DAYS))


def _without_each(whole: Readings, days: Readings) -> Readings:
    """Return what all days but one would read, for each."""
    left = whole.n - days.n
    values = whole.values + (whole.values - days.values) * (days.n / left)[..., None]
    return replace(whole, values=values, n=left)
