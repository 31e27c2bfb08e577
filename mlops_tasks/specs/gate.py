"""The gate: when a challenger may replace the champion."""

from __future__ import annotations

from pydantic import Field

from mlops_tasks.specs.base import SpecModel

__all__ = ["GateSpec"]


class GateSpec(SpecModel):
    """When a challenger may replace the champion.

    Attributes
    ----------
    metric : str or None
        Metric of the comparison, by name, or ``"package.module:function"``; by default the ROC AUC
        of a binary model, the log loss of a multiclass one, the mean absolute error of a
        regression.
    min_value : float or None
        A first champion must be better than this with its whole confidence interval; by default it
        must be better than a constant: the share of each class, or the median.
    confidence : float
        Confidence of the bootstrap interval, in (0, 1).
    n_bootstrap : int
        Resamples of the paired bootstrap.
    max_worse_log_loss : float
        A challenger that predicts probabilities may not lose more than this in log loss, in nats:
        the whole confidence interval of the gap must lie below it.
    min_class_rows : int
        With fewer rows of either class in the evaluation window the verdict is "cannot_tell"; so
        many rows two of several classes must have, and twice as many a regression.
    """

    metric: str | None = None
    min_value: float | None = None
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    n_bootstrap: int = Field(default=500, ge=50, le=20_000)
    max_worse_log_loss: float = Field(default=0.01, ge=0)
    min_class_rows: int = Field(default=10, ge=1)
