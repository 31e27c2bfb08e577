"""The two intervals that judge scores of two classes, and the standard error of a ROC AUC."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics import (
    Interval,
    compare,
    find_metric,
    measure,
    share_interval,
)
from mlops_tasks.problem_types.outcomes import Outcomes

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
    """Measure the ROC AUC of a model and its paired differences to a rival on the same rows.

    `target` is 0 or 1, both present, the scores are probabilities of class 1. How the intervals
    come about, `measure` says.

    >>> import numpy as np
    >>> target, scores = np.repeat([0, 1], [200, 3]), np.arange(203) / 203
    >>> found = compare_scores(target, scores).roc_auc
    >>> found.value, found.lower < 0.5  # three rows at the top may be luck
    (1.0, True)
    """
    auc, loss = (find_metric(name, "binary") for name in ("roc_auc", "log_loss"))
    ours = Outcomes(target, scores)
    value = measure(auc, ours, confidence=confidence, n_bootstrap=n_bootstrap, seed=seed)
    if rival is None:
        return Comparison(value)
    gain, better = (
        compare(
            metric,
            ours,
            Outcomes(target, rival),
            confidence=confidence,
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
        for metric in (auc, loss)
    )
    return Comparison(value, gain, Interval(-better.value, -better.upper, -better.lower))


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
