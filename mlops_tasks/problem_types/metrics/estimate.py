"""What rows tell of a value: its bounds at any confidence, and at which level it is above another.

Several questions that are asked of one sample are each answered at a level of their own (Holm), so
an interval of one confidence is not enough.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics.interval import Interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["UNKNOWN", "Drawn", "Estimate", "Spread"]


class Estimate(ABC):
    """A value, and what is known of it."""

    value: float

    @abstractmethod
    def interval(self, confidence: float) -> Interval:
        """Return it with its two-sided interval."""

    @abstractmethod
    def level(self, floor: float) -> float:
        """Return the smallest one-sided level at which its lower bound is above `floor`."""

    @abstractmethod
    def flipped(self) -> Estimate:
        """Return the same of its negative."""


@dataclass(frozen=True, slots=True)
class _Unknown(Estimate):
    """A value that is not defined."""

    value: float = math.nan

    def interval(self, confidence: float) -> Interval:
        """Return nothing."""
        return Interval(math.nan, math.nan, math.nan)

    def level(self, floor: float) -> float:
        """Return 1: it is never above anything."""
        return 1.0

    def flipped(self) -> Estimate:
        """Return the same."""
        return self


UNKNOWN: Estimate = _Unknown()


@dataclass(frozen=True, slots=True)
class Spread:
    """By how much quantiles are taken further out where units are few, see `measure`; None: not."""

    n_units: int | None

    def tail(self, level: float) -> float:
        """Return the share of resamples beyond a bound of this one-sided level."""
        if self.n_units is None:
            return level
        if self.n_units < 2:
            return 0.0
        from scipy.special import ndtr, stdtrit  # scipy.stats takes a second to import

        return float(ndtr(self._factor * stdtrit(self.n_units - 1, level)))

    def level(self, tail: float) -> float:
        """Return the level of a bound that this share of resamples lies beyond."""
        if self.n_units is None:
            return tail
        if self.n_units < 2:
            return 1.0
        from scipy.special import ndtri, stdtr

        return float(stdtr(self.n_units - 1, ndtri(tail) / self._factor))

    @property
    def _factor(self) -> float:
        n = self.n_units or 0
        return math.sqrt((n + 1) / (n - 1))


class Drawn(Estimate):
    """A value with resamples of its lower and of its upper end, each sorted.

    Bounds are the quantiles whose expected level is exact for any number of resamples (Hyndman and
    Fan). Further out than the resamples reach, the tail is taken for an exponential one, which is
    that of a share and heavier than a normal one. Without resamples, nothing is known but the
    range.
    """

    def __init__(
        self, value: float, limits: tuple[float, float], ends: Floats, spread: Spread
    ) -> None:
        self.value, self._limits, self._ends, self._spread = value, limits, ends, spread

    def interval(self, confidence: float) -> Interval:
        """Return it with its two-sided interval."""
        tail = self._spread.tail((1 - confidence) / 2)
        lower, upper = self._ends
        if not len(lower) or tail == 0:
            return Interval(self.value, *self._limits)
        low, high = self._limits
        below = _quantile(lower, tail, self.value, low)
        above = -_quantile(-upper[::-1], tail, -self.value, -high)
        return Interval(self.value, round(below, 12), round(above, 12))

    def level(self, floor: float) -> float:
        """Return the smallest one-sided level at which its lower bound is above `floor`."""
        lower = self._ends[0]
        if not len(lower):
            return 1.0
        return self._spread.level(_share_below(lower, floor, self.value))

    def flipped(self) -> Estimate:
        """Return the same of its negative."""
        low, high = self._limits
        return Drawn(-self.value, (-high, -low), -self._ends[::-1, ::-1], self._spread)


def _quantile(ends: Floats, tail: float, value: float, least: float) -> float:
    import numpy as np

    reach = 1 / (len(ends) + 1)
    if tail >= reach:
        return float(np.quantile(ends, tail, method="weibull"))
    further = math.log(tail) / math.log(reach)
    return max(value + (float(ends[0]) - value) * further, least)


def _share_below(ends: Floats, floor: float, value: float) -> float:
    """Invert `_quantile`: the smallest tail whose quantile is above `floor`."""
    import numpy as np

    n, k = len(ends), int(np.searchsorted(ends, floor, "right"))
    if k == n:
        return 1.0
    if k == 0:
        if value <= ends[0]:
            return 0.0
        further = (value - floor) / (value - float(ends[0]))
        return float((n + 1.0) ** -max(further, 1.0))
    share = (floor - ends[k - 1]) / (ends[k] - ends[k - 1])
    return float(k + share) / (n + 1)
