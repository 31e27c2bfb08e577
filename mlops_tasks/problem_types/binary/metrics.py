"""What probabilities were worth, measured against outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Target = npt.NDArray[np.int64]

__all__ = ["classification_metrics", "log_losses"]

_EPSILON = 2.0**-52


def classification_metrics(target: Target, scores: Floats) -> dict[str, float]:
    """Measure probabilities of class 1 against outcomes, 0 or 1.

    Log loss in nats, Brier score, mean score and share of class 1; where both classes are present
    also the ROC AUC and the average precision.

    >>> import numpy as np
    >>> classification_metrics(np.array([0, 1]), np.array([0.2, 0.8]))["roc_auc"]
    1.0
    """
    from sklearn import metrics

    ranking = {}
    if 0 < target.sum() < len(target):
        ranking = {
            "roc_auc": float(metrics.roc_auc_score(target, scores)),
            "average_precision": float(metrics.average_precision_score(target, scores)),
        }
    return ranking | {
        "log_loss": float(log_losses(target, scores).mean()),
        "brier": float(((scores - target) ** 2).mean()),
        "mean_score": float(scores.mean()),
        "y_share": float(target.mean()),
    }


def log_losses(target: Target, scores: Floats) -> Floats:
    """Return the log loss of each row, in nats; what was held for impossible counts as 2.2e-16."""
    import numpy as np

    likely = np.where(target == 1, scores, 1 - scores)
    losses: Floats = -np.log(np.maximum(likely, _EPSILON))
    return losses
