"""What scores of two classes were worth, by the names of 0.1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics import find_metric, row_values
from mlops_tasks.problem_types.outcomes import Outcomes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Target = npt.NDArray[np.int64]

__all__ = ["classification_metrics", "log_losses"]

_BOTH_CLASSES = ("roc_auc", "average_precision")


def classification_metrics(target: Target, scores: Floats) -> dict[str, float]:
    """Measure probabilities of class 1 against outcomes, 0 or 1.

    Log loss in nats, Brier score, mean score and share of class 1; where both classes are present
    also the ROC AUC and the average precision.

    >>> import numpy as np
    >>> classification_metrics(np.array([0, 1]), np.array([0.2, 0.8]))["roc_auc"]
    1.0
    """
    rows = Outcomes(target, scores)
    names: tuple[str, ...] = ("log_loss", "brier")
    if not math.isnan(find_metric("roc_auc", "binary").value(rows)):
        names = (*_BOTH_CLASSES, *names)
    return {name: find_metric(name, "binary").value(rows) for name in names} | {
        "mean_score": float(scores.mean()),
        "y_share": float(target.mean()),
    }


def log_losses(target: Target, scores: Floats) -> Floats:
    """Return the log loss of each row, in nats; what was held for impossible counts as 2.2e-16."""
    return row_values.log_losses(Outcomes(target, scores))
