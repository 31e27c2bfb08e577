"""Monitoring: what is compared with what, and from when on it alarms."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mlops_tasks.specs.base import SpecModel

__all__ = ["DriftSpec", "PerformanceSpec"]


class DriftSpec(SpecModel):
    """Drift of inputs and predictions: a trailing window against a reference.

    Attributes
    ----------
    window_days : int
        Length of the current window.
    reference : str
        ``training``, the data that the champion was made from; ``trailing``, the scored days
        before the window; or ``season``, the scored days of the same season a year before.
    reference_days : int
        Days of a trailing or seasonal reference; 28 or more keep the level of false alarms.
    level : float
        Chance of any alarm on a day without drift, over all columns; inputs, predictions and labels
        get a third of it each.
    min_effect : float
        Smallest effect that matters, Cohen's h; movements that chance and the reference's own
        days explain are added to it.
    min_rows : int
        Below this the answer is "too few rows to tell".
    max_domain_auc : float, optional
        Alarm when a classifier distinguishes the rows of the window from those of the training with
        a larger ROC AUC; days of one season reach 0.6 or so, 0.8 is much. It sees what moves
        between columns. Not asked by default: it reads rows and takes seconds, and `level` does
        not cover it.
    """

    window_days: int = Field(default=7, ge=1, le=3650)
    reference: Literal["training", "trailing", "season"] = "training"
    reference_days: int = Field(default=28, ge=5, le=366)
    level: float = Field(default=0.01, gt=0, le=0.5)
    min_effect: float = Field(default=0.1, ge=0, le=2)
    min_rows: int = Field(default=500, ge=30)
    max_domain_auc: float | None = Field(default=None, gt=0.5, lt=1)

    @property
    def level_of_part(self) -> float:
        """Chance of a false alarm of each part: inputs, predictions, and labels."""
        return self.level / 3


class PerformanceSpec(SpecModel):
    """Realised performance on labels that have arrived.

    Attributes
    ----------
    window_days : int
        Length of the trailing window of labelled days.
    max_auc_loss : float
        Alarm when the ROC AUC lies this far below the champion's at its gate, beyond its own
        sampling error.
    max_calibration_gap : float
        Alarm when mean predicted and observed share differ by more, beyond sampling error.
    min_rows : int
        Below this the answer is "too few rows to tell".
    min_class_rows : int
        With fewer labelled rows of either class there is no answer on the ROC AUC.
    min_coverage : float
        A day's labels are compared with those of the training once so large a share of its
        predictions has one: labels that come first often differ from those that come last.
    """

    window_days: int = Field(default=7, ge=1, le=3650)
    max_auc_loss: float = Field(default=0.05, ge=0)
    max_calibration_gap: float = Field(default=0.03, ge=0)
    min_rows: int = Field(default=500, ge=1)
    min_class_rows: int = Field(default=10, ge=1)
    min_coverage: float = Field(default=0.8, ge=0, le=1)
