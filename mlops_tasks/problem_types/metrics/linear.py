"""Intervals of many rows, without resampling: what each row moves a metric by, added up."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics.estimate import Estimate
from mlops_tasks.problem_types.metrics.interval import Interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.metrics.statistic import Statistic

    Floats = npt.NDArray[np.float64]
    Days = npt.NDArray[np.int64] | None

__all__ = ["linear_estimate"]

# Above it, the levels that are stated would be off by more than the correction can repair.
_MOST_SKEW = 0.2


@dataclass(frozen=True, slots=True)
class _Linear(Estimate):
    """A value with its standard error, the skewness of the error, and degrees of freedom."""

    value: float
    error: float
    limits: tuple[float, float]
    skew: float = 0.0
    df: float = math.inf

    def interval(self, confidence: float) -> Interval:
        tail, (low, high) = (1 - confidence) / 2, self.limits
        below, above = self._reach(tail, -1.0), self._reach(tail, 1.0)
        return Interval(self.value, max(self.value - below, low), min(self.value + above, high))

    def level(self, floor: float) -> float:
        if self.value <= floor or not self.error:
            return 1.0 if self.value <= floor else 0.0
        low, high = 0.0, 1.0  # the bound grows with the level
        for _ in range(60):
            middle = (low + high) / 2
            above = self.value - self._reach(middle, -1.0) > floor
            low, high = (low, middle) if above else (middle, high)
        return high

    def flipped(self) -> Estimate:
        low, high = self.limits
        return replace(self, value=-self.value, skew=-self.skew, limits=(-high, -low))

    def _reach(self, tail: float, side: float) -> float:
        """Return how far away the bound is, below (-1) or above (1)."""
        from scipy.special import ndtri, stdtrit

        t = -float(ndtri(tail) if math.isinf(self.df) else stdtrit(self.df, tail))
        return self.error * (t + side * self.skew / 6 * (2 * t**2 + 1))


@dataclass(frozen=True, slots=True)
class _Equal(Estimate):
    """A value that no row moves, of n rows: one that does may still be to come."""

    value: float
    n: float
    limits: tuple[float, float]

    def interval(self, confidence: float) -> Interval:
        share = -math.log((1 - confidence) / 2) / self.n
        below, above = (
            # No bound of what a row may do: then one that does nothing.
            0.0 if math.isinf(end) else abs(end - self.value) * share
            for end in self.limits
        )
        return Interval(self.value, self.value - below, self.value + above)

    def level(self, floor: float) -> float:
        if self.value <= floor:
            return 1.0
        return math.exp(-(self.value - floor) / (self.value - self.limits[0]) * self.n)

    def flipped(self) -> Estimate:
        low, high = self.limits
        return replace(self, value=-self.value, limits=(-high, -low))


def linear_estimate(
    statistic: Statistic,
    weights: Floats,
    value: float,
    limits: tuple[float, float],
    days: Days,
) -> Estimate | None:
    """Return the estimate of a statistic on many rows, None where it does not hold.

    The infinitesimal jackknife: by how much the metric moves with each row's weight, its influence,
    is added up by row, or by day where days are given, and the standard error is that of a sum of
    independent parts, ``sqrt(n / (n - 1) * sum(influence²))``. Of a ROC AUC this is the method of
    DeLong. Days have Student's quantiles of n - 1 degrees of freedom (a cluster-robust error). Rows
    have the normal ones, with the term of the Edgeworth expansion for the skewness
    ``g = sum(influence³) / sum(influence²)^1.5`` of a studentised sum: ``t -> t ± g/6 (2t² + 1)``.
    Where single rows weigh so much that |g| is above 0.2, it does not hold. O(n log n).

    References
    ----------
    Efron (1982), The jackknife, the bootstrap and other resampling plans, SIAM, chapter 6.
    DeLong, DeLong, Clarke-Pearson (1988), Comparing the areas under two or more correlated receiver
    operating characteristic curves, Biometrics 44.
    Hall (1992), On the removal of skewness by transformation, Journal of the Royal Statistical
    Society, Series B 54.
    Cameron, Miller (2015), A practitioner's guide to cluster-robust inference, Journal of Human
    Resources 50.
    """
    import numpy as np

    influence = statistic.influence(weights)
    if influence is None:
        return None
    squares = float((influence**2).sum())
    if not math.isfinite(squares):
        return None
    if squares < (1e-12 * max(abs(value), 1.0)) ** 2:
        return _Equal(value, float(weights.sum() / weights.max()), limits)
    skew = float((influence**3).sum()) / squares**1.5
    if abs(skew) > _MOST_SKEW:
        return None
    if days is None:
        return _Linear(value, math.sqrt(squares), limits, skew)
    sums = np.bincount(days, influence)
    n = len(sums)
    error = math.sqrt(n / (n - 1) * float((sums**2).sum()))
    return _Linear(value, error, limits, df=n - 1)
