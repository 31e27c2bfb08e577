"""Confidence intervals of metrics, by weighing rows, or days of them, at random."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics.estimate import UNKNOWN, Drawn, Estimate, Spread
from mlops_tasks.problem_types.metrics.linear import linear_estimate

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.metrics.interval import Interval
    from mlops_tasks.problem_types.metrics.metric import Metric
    from mlops_tasks.problem_types.metrics.statistic import Statistic
    from mlops_tasks.problem_types.outcomes import Outcomes

    Floats = npt.NDArray[np.float64]

__all__ = ["MIN_DAYS", "compare", "estimate", "gain", "measure"]

#: Days, from which on days are resampled and not rows.
MIN_DAYS = 10

_MAX_DRAWS = 20_000

#: Rows, from which on the formula of many rows is tried before resampling.
_MANY_ROWS = 20_000


def measure(
    metric: Metric,
    outcomes: Outcomes,
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> Interval:
    """Measure a metric, with its confidence interval.

    Parameters
    ----------
    metric : Metric
        From `find_metric`.
    outcomes : Outcomes
        The rows.
    confidence : float, default 0.95
        Of the two-sided interval.
    n_bootstrap : int, default 500
        Resamples; more are drawn where the confidence cannot be reached with these.
    seed : int, default 0
        Of the random weights.

    Returns
    -------
    Interval
        NaN where the metric is not defined on these rows; the whole range of the metric where they
        are too few to tell.

    Notes
    -----
    The Bayesian bootstrap (Rubin): each unit has a weight drawn from the exponential distribution.
    Units are days where `outcomes` has ten or more, as rows of one day depend on each other (a
    cluster bootstrap: Field and Welsh), else rows.

    It alone promises too much with few rows: with one positive row there is nothing to resample. So
    there is one more row, of the worst kind for the bound asked for: a hit or a miss where a row's
    value is bounded, the worst row seen where it is not, one of each class that is ranked or
    decided wrongly where the metric is about classes. For a mean of bounded values this is the
    bound of Gaffke, and for a share that of Clopper and Pearson: it holds for any distribution, and
    from a few dozen rows on it costs next to nothing.

    Where no worst row is known (R², median error, a function of your own), and for days, which are
    few, the quantiles are further out, ``Phi(-sqrt((n + 1) / (n - 1)) * t)`` with the t quantile of
    n - 1 degrees of freedom, so that the interval of a mean is that of Student (Hesterberg). Bounds
    are the quantiles whose expected level is exact for any number of resamples (Hyndman and Fan).
    O(n_bootstrap · n_samples).

    References
    ----------
    Rubin (1981), The Bayesian bootstrap, Annals of Statistics 9.
    Gaffke (2005), Three test statistics for a nonparametric one-sided hypothesis on the mean of a
    nonnegative variable, Mathematical Methods of Statistics 14.
    Learned-Miller, Thomas (2020), A new confidence interval for the mean of a bounded random
    variable, arXiv:1905.06208.
    Field, Welsh (2007), Bootstrapping clustered data, Journal of the Royal Statistical Society,
    Series B 69.
    Hesterberg (2015), What teachers should know about the bootstrap, American Statistician 69.
    Hyndman, Fan (1996), Sample quantiles in statistical packages, American Statistician 50.
    """
    found = estimate(metric, outcomes, confidence=confidence, n_bootstrap=n_bootstrap, seed=seed)
    return found.interval(confidence)


def compare(
    metric: Metric,
    ours: Outcomes,
    rival: Outcomes,
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> Interval:
    """Measure by how much we are better than a rival on the same rows.

    Parameters
    ----------
    metric : Metric
        From `find_metric`.
    ours, rival : Outcomes
        The same rows in the same order; days and weights are ours.
    confidence : float, default 0.95
        Of the two-sided interval.
    n_bootstrap : int, default 500
        Resamples; more are drawn where the confidence cannot be reached with these.
    seed : int, default 0
        Of the random weights.

    Returns
    -------
    Interval
        In units of the metric, above 0 where we are better, whichever its direction; of bias, by
        which ours is nearer to 0. NaN where the metric is not defined on these rows.

    Notes
    -----
    Paired: both are calculated with the same weights, so that what is hard for both cancels. Extra
    rows are of the worst kind for us, and the rival is taken as it was seen. Where a row's value
    has no bound, the extra row is the one with the worst gap seen. See `measure`.
    """
    found = estimate(metric, ours, rival, confidence=confidence, n_bootstrap=n_bootstrap, seed=seed)
    return found.interval(confidence)


def estimate(
    metric: Metric,
    ours: Outcomes,
    rival: Outcomes | None = None,
    *,
    confidence: float,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> Estimate:
    """Return what `measure`, or with a rival `compare`, finds, at any confidence up to this one.

    Of 20,000 rows or more it is the linear approximation where that holds, see `linear_estimate`.
    """
    ready = [metric.prepare(one) if len(one) else None for one in (ours, rival) if one is not None]
    if any(one is None for one in ready):
        return UNKNOWN
    if rival is None:
        return _estimate(ready[0], ours, (metric.low, metric.high), confidence, n_bootstrap, seed)
    span = metric.high - metric.low
    statistic = ready[0].against(ready[1])  # type: ignore[union-attr]
    found = _estimate(statistic, ours, (-span, span), confidence, n_bootstrap, seed)
    return found if metric.greater_is_better else found.flipped()


def gain(metric: Metric, ours: Outcomes, rival: Outcomes) -> float:
    """Return by how much we are better than a rival, as `compare` does, without an interval."""
    ready = [metric.prepare(one) if len(one) else None for one in (ours, rival)]
    if ready[0] is None or ready[1] is None:
        return math.nan
    found = ready[0].against(ready[1]).seen(ours.sample_weights)
    return found if metric.greater_is_better else -found


def _estimate(
    statistic: Statistic | None,
    outcomes: Outcomes,
    limits: tuple[float, float],
    confidence: float,
    n_bootstrap: int,
    seed: int,
) -> Estimate:
    import numpy as np

    # Not scipy.stats.bootstrap: six to eleven times slower, and it has no answer to a few rows.
    if statistic is None:
        return UNKNOWN
    base = outcomes.sample_weights
    value = statistic.seen(base)
    if math.isnan(value):
        return UNKNOWN
    codes, n_days = _day_codes(outcomes)
    if len(outcomes) >= _MANY_ROWS:
        days = codes if n_days >= MIN_DAYS else None
        if found := linear_estimate(statistic, base, value, limits, days):
            return found
    units = _Units(statistic, base, codes, n_days)
    tail = units.tail(confidence)
    drawn = np.empty((2, 0))
    if units.can_tell(tail):
        random = np.random.default_rng(seed)
        n = max(n_bootstrap, math.ceil(1 / max(tail, 1 / _MAX_DRAWS)))
        drawn = np.array(
            [
                statistic.ends(base * weights, extra)
                for weights, extra in (units.draw(random) for _ in range(n))
            ]
        ).T
    return Drawn(value, limits, np.sort(drawn, axis=1), units.spread)


class _Units:
    """What is weighed at random, days or rows, and the extra rows beside them."""

    def __init__(
        self, statistic: Statistic, base: Floats, codes: npt.NDArray[np.int64], n_days: int
    ) -> None:
        import numpy as np

        n_rows, n_extra = len(base), statistic.n_extra
        self._mean_weight, self.n = float(base.mean()), n_days
        are_few = n_days >= MIN_DAYS or statistic.expanded
        if n_days >= MIN_DAYS:
            self._rows, self._extra = codes, np.arange(self.n, self.n + n_extra)
        else:  # by strata, the extra row after the others of its own
            strata = np.concatenate([statistic.strata, np.arange(n_extra)])
            place = np.empty(len(strata), np.int64)
            place[np.argsort(strata, kind="stable")] = np.arange(len(strata))
            self.n, self._rows, self._extra = n_rows, place[:n_rows], place[n_rows:]
        self.spread = Spread(self.n if are_few else None)

    def draw(self, random: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw a weight for each row and each extra row, 1 on average."""
        drawn = random.standard_exponential(self._n_drawn)
        return drawn[self._rows], drawn[self._extra] * self._mean_weight

    @property
    def _n_drawn(self) -> int:
        return self.n + len(self._extra)

    def tail(self, confidence: float) -> float:
        """Return the share of resamples beyond each bound."""
        return self.spread.tail((1 - confidence) / 2)

    def can_tell(self, tail: float) -> bool:
        """Return whether resamples say anything of a bound that so few of them lie beyond."""
        return tail * _MAX_DRAWS >= 1 or self.n >= MIN_DAYS


def _day_codes(outcomes: Outcomes) -> tuple[npt.NDArray[np.int64], int]:
    import numpy as np

    days = outcomes.days
    if days is None:
        return np.zeros(len(outcomes), np.int64), 1
    if days.dtype.kind == "i" and days.min() >= 0 and days.max() < len(days):
        there = np.bincount(days) > 0  # codes, of which a slice may have some: quicker than a sort
        return (there.cumsum() - 1)[days], int(there.sum())
    found, codes = np.unique(days, return_inverse=True)
    return codes, len(found)
