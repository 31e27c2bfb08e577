"""Monitoring: what is compared with what, and from when on it alarms."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from mlops_tasks.partitions import Duration
from mlops_tasks.specs.base import SpecModel, Window, renamed

__all__ = ["DriftSpec", "PerformanceSpec"]

# Of a version that was evaluated before it was kept what rows show.
_ROWS_WANTED = 500

Percent = Annotated[str, StringConstraints(pattern=r"^\d{1,3}(\.\d+)?%$")]


class DriftSpec(SpecModel):
    """Drift of inputs and predictions: a trailing window against a reference.

    Attributes
    ----------
    window : Duration
        Length of the current window, at least.
    max_window : Duration
        At most: it grows until it holds `min_rows`.
    reference : str
        ``training``, the data that the champion was made from; ``trailing``, the scored days
        before the window; or ``season``, the scored days of the same season a year before.
    reference_window : Duration
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

    window: Window = Duration(7, "d")
    max_window: Window = Duration(26, "w")
    reference: Literal["training", "trailing", "season"] = "training"
    reference_window: Window = Duration(28, "d")
    level: float = Field(default=0.01, gt=0, le=0.5)
    min_effect: float = Field(default=0.1, ge=0, le=2)
    min_rows: int = Field(default=500, ge=30)
    max_domain_auc: float | None = Field(default=None, gt=0.5, lt=1)

    in_days: ClassVar = {"window_days": ("window", 1), "reference_days": ("reference_window", 5)}

    @model_validator(mode="after")
    def _check_reference(self) -> Self:
        if not 5 <= self.reference_window.days <= 366:
            raise ValueError("reference_window must be 5 to 366 days: fewer show no day effects")
        return self

    @property
    def level_of_part(self) -> float:
        """Chance of a false alarm of each part: inputs, predictions, and labels."""
        return self.level / 3


class PerformanceSpec(SpecModel):
    """Realised performance on labels that have arrived, and an estimate before they do.

    Attributes
    ----------
    window : Duration
        Length of the trailing window of labelled days, at least.
    max_window : Duration
        At most: the window grows until it shows `smallest_change`, or holds `min_rows`.
    smallest_change : float or None
        The smallest change that matters while features stay as they are: a share of the odds of a
        class, 0.5 by default, or of the mean absolute target of a regression, 0.1 by default.
    max_loss : float, str or None
        Alarm when the gate's metric is worse by more than at the champion's gate, beyond sampling
        error: in the metric's own unit, or as a share of its value at the gate, as ``"10%"``. By
        default 0.05 of a binary model, 10 % of others.
    max_calibration_gap : float
        Alarm when predicted and observed share of a class differ by more, beyond sampling error.
    max_relative_gap : float or None
        Alarm also when they differ by more than this share of the rarer one of the class and the
        others, or, of a regression, when mean prediction and mean target differ by more than this
        share of the mean absolute target. By default 0.25, of a regression 0.05.
    min_rows : int or None
        Below this the answer is "too few rows to tell". By default what `smallest_change` needs, by
        what the champion's evaluation showed of rows and days.
    min_class_rows : int
        With fewer labelled rows of either class there is no answer on the gate's metric.
    min_coverage : float
        A day's labels are compared with those of the training once so large a share of its
        predictions has one: labels that come first often differ from those that come last.
    estimate : bool
        Whether the gate's metric is also estimated when a partition is scored, before its labels.
    """

    window: Window = Duration(7, "d")
    max_window: Window = Duration(26, "w")
    smallest_change: float | None = Field(default=None, gt=0)
    max_loss: Annotated[float, Field(ge=0)] | Percent | None = None
    max_calibration_gap: float = Field(default=0.03, ge=0)
    max_relative_gap: float | None = Field(default=None, gt=0)
    min_rows: int | None = Field(default=None, ge=1)
    min_class_rows: int = Field(default=10, ge=1)
    min_coverage: float = Field(default=0.8, ge=0, le=1)
    estimate: bool = True

    in_days: ClassVar = {"window_days": ("window", 1)}

    @model_validator(mode="before")
    @classmethod
    def _take_old_names(cls, fields: Any) -> Any:
        return renamed(cls, fields, {"max_auc_loss": "max_loss"})

    @property
    def rows_wanted(self) -> int:
        """Rows that suffice where nothing is known of what they show."""
        return self.min_rows or _ROWS_WANTED
