"""The gate: when a challenger may replace the champion."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mlops_tasks.specs.base import SpecModel

__all__ = ["GateSpec"]


class GateSpec(SpecModel):
    """When a challenger may replace the champion.

    Attributes
    ----------
    metric : str
        Metric of the comparison.
    min_value : float
        A first champion must be above this with its whole confidence interval.
    confidence : float
        Confidence of the bootstrap interval, in (0, 1).
    n_bootstrap : int
        Resamples of the paired bootstrap.
    max_worse_log_loss : float
        A challenger may not lose more than this in log loss, in nats: the whole confidence interval
        of the gap must lie below it.
    min_class_rows : int
        With fewer rows of either class in the evaluation window the verdict is "cannot_tell".
    """

    metric: Literal["roc_auc"] = "roc_auc"
    min_value: float = Field(default=0.5, ge=0, lt=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    n_bootstrap: int = Field(default=500, ge=50, le=20_000)
    max_worse_log_loss: float = Field(default=0.01, ge=0)
    min_class_rows: int = Field(default=10, ge=1)
