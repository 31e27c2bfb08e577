"""A metric of predictions whose targets are not known yet, with an interval."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics import Interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from mlops_tasks.problem_types.expected_targets import ExpectedTargets
    from mlops_tasks.problem_types.metrics import Metric
    from mlops_tasks.problem_types.outcomes import Outcomes

    Floats = npt.NDArray[np.float64]

__all__ = ["CONFIDENCE", "expected_metric", "unexpected_by_day"]

#: Of the interval: so often the realised value is to lie in it.
CONFIDENCE = 0.95
_N_FITS, _N_DRAWS = 10, 20
#: Fewer days do not show how days differ.
_FEW_DAYS = 5


def expected_metric(
    metric: Metric,
    targets: ExpectedTargets,
    known: Outcomes,
    rows: Outcomes,
    features: pd.DataFrame | None,
    *,
    of_days: float | None = None,
    n_days: float = 1.0,
    seed: int = 0,
) -> Interval:
    """Return what a metric will be once the targets of some rows are known.

    Parameters
    ----------
    metric : Metric
        From `find_metric`.
    targets : ExpectedTargets
        What the known rows let expect.
    known : Outcomes
        These rows, with their days.
    rows : Outcomes
        The rows; their targets are not looked at.
    features : DataFrame or None
        What the model was told about them, where `targets` asks for it.
    of_days : float, optional
        Standard deviation of the metric that the days of the rows have by themselves. By default as
        much as days of the known rows change what is expected.
    n_days : float, default 1
        Days of the rows.
    seed : int, default 0
        Of all draws.

    Returns
    -------
    Interval
        The mean of the metric over draws of the targets, and what lies between the 2.5 % and 97.5 %
        of them and of what days do: an interval of the value that will be realised, not of an
        expectation. NaN where the metric is not defined on half of the draws.

    Notes
    -----
    Three kinds of luck are in it: that of the targets, by drawing them; that of the known rows, by
    weighing their days at random (the Bayesian bootstrap) and fitting anew, taken further out as
    Student does where days are few (Hesterberg); and that of the days to come, by `of_days`.

    References
    ----------
    Hesterberg (2015), What teachers should know about the bootstrap, American Statistician 69.
    """
    import numpy as np

    random, n_units, drawn = np.random.default_rng(seed), _n_units(known), []
    for weights in _weights(known, random):
        draw = targets.fitted(weights, rows, features)
        values = [metric.value(replace(rows, y_true=draw(random))) for _ in range(_N_DRAWS)]
        drawn.append(values)
    found = np.array(drawn)
    found = found[np.isfinite(found).all(axis=1)]
    if 2 * len(found) < _N_FITS:
        return Interval(math.nan, math.nan, math.nan)
    value, fits = float(found.mean()), found.mean(axis=1, keepdims=True)
    tail = (1 - CONFIDENCE) / 2
    further = value + (fits - value) * _student(n_units, tail) + (found - fits)
    low, high = np.quantile(further, (tail, 1 - tail), method="weibull")
    if of_days is None:
        of_days = float(fits.std(ddof=1)) * math.sqrt(n_units / n_days)
    days = _reach(tail) * of_days
    return Interval(
        value,
        max(value - math.hypot(value - low, days), metric.low),
        min(value + math.hypot(high - value, days), metric.high),
    )


def unexpected_by_day(
    metric: Metric,
    targets: ExpectedTargets,
    known: Outcomes,
    features: pd.DataFrame | None,
    *,
    seed: int = 0,
) -> float | None:
    """Return by how much days differ in a metric beyond what is expected of each of them.

    Parameters
    ----------
    metric, targets, known, seed
        As for `expected_metric`.
    features : DataFrame or None
        What the model was told about the known rows.

    Returns
    -------
    float or None
        A standard deviation, larger where it is known of few days (Student). None of less than five
        days on which the metric is defined.
    """
    import numpy as np

    if known.days is None:
        return None
    random = np.random.default_rng(seed)
    draw = targets.fitted(np.ones(len(known)), known, features)
    drawn = [draw(random) for _ in range(_N_DRAWS)]
    gaps, luck = [], []
    for day in np.unique(known.days):
        own = known.days == day
        rows = known.part(own)
        values = np.array([metric.value(replace(rows, y_true=one[own])) for one in drawn])
        if math.isfinite(gap := metric.value(rows) - float(values.mean())):
            gaps.append(gap)
            luck.append(float(values.var(ddof=1)) * (1 + 1 / _N_DRAWS))
    if len(gaps) < _FEW_DAYS:
        return None
    beyond = float(np.var(gaps, ddof=1) - np.mean(luck))
    return math.sqrt(max(beyond, 0.0)) * _student(len(gaps), (1 - CONFIDENCE) / 2)


def _reach(tail: float) -> float:
    from scipy.special import ndtri

    return -float(ndtri(tail))


def _student(n_units: int, tail: float) -> float:
    """Return by how much further out quantiles are taken where so few units were weighed."""
    from scipy.special import stdtrit

    if n_units < 2:
        return math.inf
    spread = math.sqrt((n_units + 1) / (n_units - 1))
    return spread * -float(stdtrit(n_units - 1, tail)) / _reach(tail)


def _n_units(known: Outcomes) -> int:
    import numpy as np

    return len(known) if known.days is None else len(np.unique(known.days))


def _weights(known: Outcomes, random: np.random.Generator) -> list[Floats]:
    """Draw weights of the known rows: those of one day have the same."""
    import numpy as np

    n_units, codes = len(known), np.arange(len(known))
    if known.days is not None:
        days, codes = np.unique(known.days, return_inverse=True)
        n_units = len(days)
    return [random.standard_exponential(n_units)[codes] for _ in range(_N_FITS)]
