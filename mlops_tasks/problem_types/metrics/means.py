"""Metrics that are means: each row has a value of its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mlops_tasks.problem_types.metrics.statistic import Difference, Statistic, Weighted

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

__all__ = ["Bias", "BoundedMean", "Mean"]


class BoundedMean(Statistic):
    """The mean of values that lie between two bounds; an extra row has one of them."""

    def __init__(self, values: Floats, low: float, high: float) -> None:
        import numpy as np

        self.values, self.low, self.high = values, low, high
        self.strata, self.n_extra = np.zeros(len(values), np.int64), 1

    def seen(self, weights: Floats) -> float:
        """Calculate the mean of the rows alone."""
        return float((weights * self.values).sum() / weights.sum())

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with a row at each bound."""
        total, one = float((weights * self.values).sum()), float(extra[0])
        n = float(weights.sum()) + one
        return (total + one * self.low) / n, (total + one * self.high) / n

    def influence(self, weights: Floats) -> Floats:
        """Return each row's distance from the mean, by its share of the weight."""
        moved: Floats = weights * (self.values - self.seen(weights)) / weights.sum()
        return moved


class Mean(Statistic):
    """The mean of values without a bound; an extra row of each stratum is the worst one seen.

    Of few rows with a long tail the worst one is mostly still to come: then bounds are expanded.
    """

    def __init__(
        self,
        values: Floats,
        strata: Ints | None = None,
        *,
        scale: Callable[[float], float] = float,
        rival: Floats | None = None,
        expanded: bool = False,
    ) -> None:
        import numpy as np

        self.values, self.scale, self.rival, self.expanded = values, scale, rival, expanded
        self.strata = np.zeros(len(values), np.int64) if strata is None else strata
        self.n_extra = int(self.strata.max()) + 1
        shown = values if rival is None else values - rival
        rows = [np.flatnonzero(self.strata == one) for one in range(self.n_extra)]
        self._lowest, self._highest = (
            np.array([part[end(shown[part])] for part in rows if len(part)], np.int64)
            for end in (np.argmin, np.argmax)
        )
        self._extra = [one for one, part in enumerate(rows) if len(part)]

    def seen(self, weights: Floats) -> float:
        """Calculate the mean of the rows alone, or the difference of two."""
        return self._value(weights, weights[:0], self._lowest[:0])

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with the lowest row of each stratum once more, and with the highest."""
        extra = extra[self._extra]
        return (
            self._value(weights, extra, self._lowest),
            self._value(weights, extra, self._highest),
        )

    def influence(self, weights: Floats) -> Floats | None:
        """Return each row's distance from the mean, by its share of the weight and the slope."""
        ours = self._moved(weights, self.values)
        if self.rival is None or ours is None:
            return ours
        theirs = self._moved(weights, self.rival)
        return None if theirs is None else ours - theirs

    def _moved(self, weights: Floats, values: Floats) -> Floats | None:
        n = float(weights.sum())
        mean = float((weights * values).sum()) / n
        step = abs(mean) * 1e-6
        if not step:
            return None
        slope = (self.scale(mean + step) - self.scale(mean - step)) / (2 * step)
        moved: Floats = weights * (values - mean) * (slope / n)
        return moved

    def against(self, rival: Any) -> Statistic:
        """Return what the mean is above a rival's; the extra row is that of the worst gap."""
        return Mean(
            self.values,
            self.strata,
            scale=self.scale,
            rival=rival.values,
            expanded=self.expanded,
        )

    def _value(self, weights: Floats, extra: Floats, rows: Ints) -> float:
        n = float(weights.sum()) + float(extra.sum())
        both = (self.values,) if self.rival is None else (self.values, self.rival)
        ours, *others = (
            self.scale((float((weights * v).sum()) + float((extra * v[rows]).sum())) / n)
            for v in both
        )
        return ours - others[0] if others else ours


class Bias(Mean):
    """A mean that is best at 0: of two, the nearer one is the better."""

    def against(self, rival: Any) -> Statistic:
        """Return what the mean's distance from 0 is above a rival's."""
        return Difference(self._distance(), rival._distance())

    def _distance(self) -> Statistic:
        return Weighted(len(self.values), lambda weights: math.fabs(self.seen(weights)))
