"""Two versions on the same rows, looked at whenever new labels come: a test that may look often."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.gate.slices import of_rows
from mlops_tasks.problem_types.metrics.resampling import MIN_DAYS, estimate, gain

if TYPE_CHECKING:
    from mlops_tasks.gate.plan import GatePlan
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.problem_types.metrics import Metric

__all__ = ["SequentialGain", "sequential_gains"]


@dataclass(frozen=True, slots=True)
class SequentialGain:
    """By how much one version is better than another, with an interval for one of many looks.

    Attributes
    ----------
    metric, title : str
        What is compared.
    value, lower, upper : float or None
        Above 0 where the first one is better, whichever way the metric goes; None where the rows
        do not define the metric. Bounds are None, too, where all rows are of one day.
    margin : float
        By how much the gate lets a challenger be worse in it.
    level : float
        Chance that, of two equal versions, any look shows the first one to be worse; it is as large
        for better.
    share : float
        How much of all rows that will be looked at are there, above 0 and at most 1.
    """

    metric: str
    title: str
    value: float | None
    lower: float | None
    upper: float | None
    margin: float
    level: float
    share: float

    @property
    def text(self) -> str:
        """In one sentence."""
        if self.value is None:
            return f"{self.title} is not defined on these rows"
        said = f"{self.title} {'better' if self.value >= 0 else 'worse'} by {abs(self.value):.4f}"
        if self.lower is None or self.upper is None:
            return f"{said}, and one day does not tell how days differ"
        return (
            f"{said}, interval of all looks at "
            f"{self.level:.2g} {self.lower:+.4f} to {self.upper:+.4f}"
        )


def sequential_gains(
    plan: GatePlan, ours: Outcomes, rival: Outcomes, *, share: float, level: float
) -> list[SequentialGain]:
    """Compare two versions in the gate's metrics of superiority, the primary one first.

    Parameters
    ----------
    plan : GatePlan
        With the metrics, margins and number of resamples.
    ours, rival : Outcomes
        The same rows, predicted by both.
    share : float
        How much of all rows that will be looked at are there.
    level : float
        One-sided, over all looks.

    Returns
    -------
    list of SequentialGain
        One for each metric.

    Notes
    -----
    The paired interval of the gate, at the confidence ``1 - level``, is stretched by
    ``1 / sqrt(share)``: the boundary of O'Brien and Fleming. With independent increments the sum of
    gains is a Brownian motion in `share`, and by the reflection principle the chance that it ever
    crosses ``z(1 - level / 2)`` until 1 is `level`, however often and whenever one looks (Lan,
    DeMets 1983). Early looks ask for much and cost next to nothing of the last one.

    The gate resamples days from ten on. Before that the interval is at least as wide as Student's
    over the gains of single days: one version may be better on some days, and rows do not tell.

    References
    ----------
    O'Brien, Fleming (1979), A multiple testing procedure for clinical trials, Biometrics 35.
    Lan, DeMets (1983), Discrete sequential boundaries for clinical trials, Biometrika 70.
    """
    return [_gain(plan, metric, ours, rival, share, level) for metric in plan.superiority]


def _gain(
    plan: GatePlan, metric: Metric, ours: Outcomes, rival: Outcomes, share: float, level: float
) -> SequentialGain:
    n, seed, confidence = plan.gate.n_bootstrap, plan.seed, 1 - level
    drawn = estimate(metric, ours, rival, confidence=confidence, n_bootstrap=n, seed=seed)
    found = drawn.interval(confidence)
    known = not math.isnan(found.value)
    of_days = _reach_of_days(metric, ours, rival, level) if known else math.inf
    stretch, ends = 1 / math.sqrt(share), None
    if math.isfinite(of_days):
        below, above = found.value - found.lower, found.upper - found.value
        lower, upper = -stretch * max(below, of_days), stretch * max(above, of_days)
        ends = tuple(round(found.value + one, 12) for one in (lower, upper))
    return SequentialGain(
        metric=metric.name,
        title=metric.title,
        value=found.value if known else None,
        lower=ends[0] if ends else None,
        upper=ends[1] if ends else None,
        margin=plan.margin(metric, rival),
        level=level,
        share=share,
    )


def _reach_of_days(metric: Metric, ours: Outcomes, rival: Outcomes, level: float) -> float:
    """Return how far from the gain Student's interval over the gains of single days reaches.

    Not asked from ten days on, which are resampled themselves. Infinite with less than two days.
    """
    import numpy as np
    from scipy.special import stdtrit

    if ours.days is None or len(days := np.unique(ours.days)) >= MIN_DAYS:
        return 0.0
    places = (np.flatnonzero(ours.days == day) for day in days)
    gains = [gain(metric, of_rows(ours, rows), of_rows(rival, rows)) for rows in places]
    gains = [one for one in gains if not math.isnan(one)]
    if len(gains) < 2:
        return math.inf
    error = float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
    return -float(stdtrit(len(gains) - 1, level / 2)) * error
