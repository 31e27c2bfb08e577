"""Confidence intervals that hold with few rows, too: a row more of the worst kind is counted in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.problem_types.binary.metrics import log_losses

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Target = npt.NDArray[np.int64]

__all__ = [
    "Comparison",
    "Interval",
    "auc_standard_error",
    "compare_scores",
    "share_interval",
]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its confidence interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one set of outcomes says of a model, and of what it has over a rival.

    Attributes
    ----------
    roc_auc : Interval
        Of the model, in [0, 1].
    auc_gain : Interval or None
        By which its ROC AUC is above the rival's; None without a rival.
    log_loss_gap : Interval or None
        By which its log loss is above the rival's, in nats; None without a rival.
    """

    roc_auc: Interval
    auc_gain: Interval | None = None
    log_loss_gap: Interval | None = None


def compare_scores(
    target: Target,
    scores: Floats,
    rival: Floats | None = None,
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> Comparison:
    """Bootstrap the ROC AUC of a model and its paired differences to a rival on the same rows.

    `target` is 0 or 1, both present, the scores are probabilities of class 1. Each interval is
    two-sided and of the `confidence`; more than `n_bootstrap` resamples are drawn where that
    cannot be reached with these.

    The Bayesian bootstrap (Rubin), by class, of all models at once, so that what is hard for each
    of them cancels. It alone promises too much when a class has few rows: with one positive row
    there is nothing to resample. So each class has one more row, of the worst kind for the bound
    asked for: for a lower bound of the AUC one that the model ranks on the wrong side of all
    others, for an upper bound of the loss one that costs as much as its worst. For the mean of one
    class this is the bound of Gaffke, and for a share that of Clopper and Pearson: it holds for
    any distribution, and from a few dozen rows on it costs next to nothing. The rival is taken as
    it was seen. Bounds are the quantiles whose expected level is exact for any number of
    resamples. O(n_bootstrap · n_samples).

    References
    ----------
    Rubin (1981), The Bayesian bootstrap, Annals of Statistics 9.
    Gaffke (2005), Three test statistics for a nonparametric one-sided hypothesis on the mean of a
    nonnegative variable, Mathematical Methods of Statistics 14.
    Learned-Miller, Thomas (2020), A new confidence interval for the mean of a bounded random
    variable, arXiv:1905.06208.
    Hyndman, Fan (1996), Sample quantiles in statistical packages, American Statistician 50.

    Examples
    --------
    >>> import numpy as np
    >>> target, scores = np.repeat([0, 1], [200, 3]), np.arange(203) / 203
    >>> found = compare_scores(target, scores).roc_auc
    >>> found.value, found.lower < 0.5  # three rows at the top may be luck
    (1.0, True)
    """
    import numpy as np

    # Not scipy.stats.bootstrap: six to eleven times slower, and it has no answer to a few rows.
    tail = (1 - confidence) / 2
    random, rows = np.random.default_rng(seed), _Rows(target, scores, rival)
    n_draws = max(n_bootstrap, math.ceil(1 / tail))
    lower, upper = np.transpose([rows.bounds(random) for _ in range(n_draws)], (1, 2, 0))
    low, high = (
        np.quantile(ends, level, axis=1, method="weibull").round(12).tolist()
        for ends, level in ((lower, tail), (upper, 1 - tail))
    )
    return Comparison(*map(Interval, rows.values(), low, high))


def share_interval(n_hits: int, n_rows: int, *, confidence: float = 0.95) -> Interval:
    """Return the share of hits with its exact interval, also of none and all of the rows.

    Clopper, Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the
    binomial, Biometrika 26.

    >>> round(share_interval(0, 100).upper, 4)
    0.0362
    """
    from scipy.stats import binomtest

    found = binomtest(n_hits, n_rows).proportion_ci(confidence)
    return Interval(n_hits / n_rows, float(found.low), float(found.high))


def auc_standard_error(auc: float, n_positive: int, n_negative: int) -> float:
    """Return the standard error of a ROC AUC, for rows enough of both classes.

    Hanley, McNeil (1982), The meaning and use of the area under a receiver operating characteristic
    (ROC) curve, Radiology 143.

    >>> round(auc_standard_error(0.65, 200, 800), 4)
    0.0229
    """
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = (n_positive - 1) * (q1 - auc * auc) + (n_negative - 1) * (q2 - auc * auc)
    return math.sqrt((auc * (1 - auc) + spread) / (n_positive * n_negative))


class _Rows:
    """Outcomes and scores, to be weighed again and again; negatives come before positives."""

    def __init__(self, target: Target, scores: Floats, rival: Floats | None) -> None:
        import numpy as np

        classes = (target == 0, target == 1)
        self.sizes = [int(rows.sum()) for rows in classes]
        self.models = [_RankedScores(classes, s) for s in (scores, rival) if s is not None]
        gap = None if rival is None else log_losses(target, scores) - log_losses(target, rival)
        self.gaps = None if gap is None else [gap[rows] for rows in classes]
        self.once: list[Floats] = [np.ones(size) for size in self.sizes]

    def values(self) -> list[float]:
        """Return the ROC AUC and, with a rival, what the AUC and the log loss are above its own."""
        import numpy as np

        n_pairs = self.sizes[0] * self.sizes[1]
        ours, *others = (model.pairs(self.once) / n_pairs for model in self.models)
        if self.gaps is None:
            return [ours]
        return [ours, ours - others[0], float(np.concatenate(self.gaps).mean())]

    def bounds(self, random: np.random.Generator) -> tuple[list[float], list[float]]:
        """Weigh the rows at random: the values with the extra rows at one end and at the other."""
        import numpy as np

        weights = [random.standard_exponential(size + 1) for size in self.sizes]
        totals, seen = ([float(w.sum()) for w in part] for part in (weights, _rows_of(weights)))
        n_pairs, n_seen = totals[0] * totals[1], seen[0] * seen[1]
        ours, *others = (model.pairs(_rows_of(weights)) for model in self.models)
        lowest, highest = ours / n_pairs, 1 - (n_seen - ours) / n_pairs
        if self.gaps is None:
            return [lowest], [highest]
        rival = others[0] / n_seen
        better, worse = (
            sum(
                float((part * np.append(gap, end(gap))).sum())
                for part, gap in zip(weights, self.gaps, strict=True)
            )
            / sum(totals)
            for end in (np.min, np.max)
        )
        return [lowest, lowest - rival, better], [highest, highest - rival, worse]


def _rows_of(weights: list[Floats]) -> list[Floats]:
    """Leave out the extra row of each class."""
    return [part[:-1] for part in weights]


class _RankedScores:
    """The groups of equal scores of one model, in ascending order, ranked once."""

    def __init__(self, classes: tuple[Any, Any], scores: Floats) -> None:
        import numpy as np

        _, group = np.unique(scores, return_inverse=True)
        self.n_groups = int(group.max()) + 1
        self.groups = [group[rows] for rows in classes]

    def pairs(self, weights: list[Floats]) -> float:
        """Weigh the pairs of rows in which the positive one scores higher; ties count half.

        Their share of all pairs is the ROC AUC (Hanley, McNeil 1982).
        """
        import numpy as np

        negative, positive = (
            np.bincount(group, part, self.n_groups)
            for group, part in zip(self.groups, weights, strict=True)
        )
        # Not `@`: BLAS would start threads for it, which cost more than they bring.
        return float((positive * (np.cumsum(negative) - negative / 2)).sum())
