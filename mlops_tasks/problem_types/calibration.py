"""What was predicted on average beside what was observed: shares of classes, means of numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from mlops_tasks.problem_types.metrics import Interval, share_interval
from mlops_tasks.problem_types.metrics.resampling import MIN_DAYS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.outcomes import Outcomes

    Floats = npt.NDArray[np.float64]
    Days = npt.NDArray[np.int64] | None

__all__ = ["Calibration", "calibration"]

# Variance of a count, from which on it is nearly normal.
_MANY_HITS = 20


class Calibration(NamedTuple):
    """What was predicted on average, and what was observed.

    Attributes
    ----------
    name : str
        The class, ``"positive"`` of two; ``"mean"`` of numbers.
    predicted : float
        Mean probability of the class, or mean prediction.
    observed : Interval
        Share of the class, or mean target. The bounds are those of what these rows would show if
        they were many, with the same predictions: ``predicted`` outside of them is a gap that
        chance does not explain.
    """

    name: str
    predicted: float
    observed: Interval


def calibration(
    outcomes: Outcomes, *, confidence: float = 0.99, at_their_word: bool = False
) -> list[Calibration]:
    """Put what was predicted on average beside what was observed.

    Parameters
    ----------
    outcomes : Outcomes
        The rows, each counted once: sample weights say what matters, not what happens.
    confidence : float, default 0.99
        Of all two-sided intervals together: with k classes each is of ``1 - (1 - confidence) / k``.
    at_their_word : bool, default False
        Whether the chance of a share is the one that the predicted probabilities leave, which is
        less where they tell rows apart. So a wrong model is found with fewer rows; of a right one
        it is the same promise.

    Returns
    -------
    list of Calibration
        One of two classes or of numbers, one for each class of more.

    Notes
    -----
    The interval of a share is the exact one of Clopper and Pearson: none or all rows of a class are
    no proof either. That of a mean is Student's, of targets minus predictions: what the predictions
    explain is no noise. Where there are ten days or more, the units are days and the mean is a
    ratio of sums over days (Cochran), ``sum(e) / sum(n)``, with the variance
    ``D / (D - 1) * sum((e - n * mean)²) / sum(n)²``; for a share the wider one of both counts.

    At their word, a share has the variance ``sum(p * (1 - p)) / n²`` of a sum of unlike hits (Cox),
    with half a row for its being a count, where that sum is 20 or more.

    References
    ----------
    Clopper, Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the
    binomial, Biometrika 26.
    Cochran (1977), Sampling techniques, third edition, chapter 6.
    Cox (1958), Two further applications of a model for binary regression, Biometrika 45.

    Examples
    --------
    >>> import numpy as np
    >>> from mlops_tasks.problem_types.outcomes import Outcomes
    >>> rows = Outcomes(np.repeat([1, 0], [200, 9800]), np.full(10_000, 0.01))
    >>> name, predicted, observed = calibration(rows)[0]
    >>> predicted < observed.lower < observed.value
    True
    """
    y_true, y_pred, days = outcomes.y_true, outcomes.y_pred, _days(outcomes)
    share_of = _share_at_their_word if at_their_word else _share
    if y_pred.ndim > 1:
        level = 1 - (1 - confidence) / y_pred.shape[1]
        return [
            share_of(name, y_true == code, y_pred[:, code], days, level)
            for code, name in enumerate(outcomes.classes)
        ]
    if y_true.dtype.kind in "bi":
        return [share_of("positive", y_true == 1, y_pred, days, confidence)]
    predicted = float(y_pred.mean())
    gap = _mean_gap(y_true - y_pred, days, confidence)
    observed = Interval(float(y_true.mean()), predicted + gap[0], predicted + gap[1])
    return [Calibration("mean", predicted, observed)]


def _share(
    name: str, own: npt.NDArray[np.bool_], scores: Floats, days: Days, confidence: float
) -> Calibration:
    predicted = float(scores.mean())
    exact = share_interval(int(own.sum()), len(own), confidence=confidence)
    if days is None:
        return Calibration(name, predicted, exact)
    gap = _mean_gap(own - scores, days, confidence)
    lower = max(min(exact.lower, predicted + gap[0]), 0.0)
    upper = min(max(exact.upper, predicted + gap[1]), 1.0)
    return Calibration(name, predicted, Interval(exact.value, lower, upper))


def _share_at_their_word(
    name: str, own: npt.NDArray[np.bool_], scores: Floats, days: Days, confidence: float
) -> Calibration:
    from scipy.special import ndtri

    variance, n = float((scores * (1 - scores)).sum()), len(scores)
    if variance < _MANY_HITS:
        return _share(name, own, scores, days, confidence)
    share = float(own.mean())
    reach = (-float(ndtri((1 - confidence) / 2)) * math.sqrt(variance) + 0.5) / n
    return Calibration(name, float(scores.mean()), Interval(share, share - reach, share + reach))


def _days(outcomes: Outcomes) -> Days:
    """Return the code of each row's day; None if there are too few days to go by."""
    import numpy as np

    if outcomes.days is None:
        return None
    days, codes = np.unique(outcomes.days, return_inverse=True)
    return codes if len(days) >= MIN_DAYS else None


def _mean_gap(gaps: Floats, days: Days, confidence: float) -> tuple[float, float]:
    """Return Student's interval of the mean, of days where there are enough, else of rows."""
    import numpy as np
    from scipy.special import stdtrit

    sums = gaps if days is None else np.bincount(days, gaps)
    rows = np.ones(len(gaps)) if days is None else np.bincount(days)
    mean, n = float(gaps.mean()), len(sums)
    if n == 1:
        return -math.inf, math.inf
    variance = n / (n - 1) * float(((sums - rows * mean) ** 2).sum()) / len(gaps) ** 2
    reach = -float(stdtrit(n - 1, (1 - confidence) / 2)) * math.sqrt(variance)
    return mean - reach, mean + reach
