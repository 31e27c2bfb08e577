"""The gate: when a challenger may replace the champion."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mlops_tasks.specs.base import Column, SpecModel
from mlops_tasks.specs.monitoring import Percent
from mlops_tasks.spelling import did_you_mean

__all__ = ["GateSpec", "Kind", "Margin"]

#: In a metric's own unit, or as a share of the champion's value, as "5%".
Margin = Annotated[float, Field(ge=0, allow_inf_nan=False)] | Percent
#: What may be asked of a challenger beside being better.
Kind = Literal["non_inferiority", "slice", "fairness", "calibration", "overfit", "latency", "size"]

FAIRNESS = ("equalized_odds_difference", "demographic_parity_difference", "error_gap")


class GateSpec(SpecModel):
    """When a challenger may replace the champion.

    Attributes
    ----------
    metric : str or None
        The primary metric, by name, or ``"package.module:function"``; by default the ROC AUC of a
        binary model, the log loss of a multiclass one, the mean absolute error of a regression.
    superiority : tuple of str or None
        Further metrics: to be better in any of them, or in the primary one, is enough, at the level
        of all of them together (Holm). By default the log loss of a model that gives probabilities.
    non_inferiority : dict of str to float or str
        By metric, by how much a challenger may be worse at most: the whole interval must lie
        within. In the metric's own unit or, as ``"5%"``, as a share of the champion's value. Those
        of the metrics above, and of the expected cost where there are costs, are 0.01 of a log
        loss, 0.02 of a metric between 0 and 1, and 2 % of any other unless named here.
    min_value : float or None
        A first champion must be better than this in the primary metric with its whole interval; by
        default it must be better than a constant: the share of each class, or the median.
    slices : dict of str to str or tuple of float, or tuple of str
        By name, groups of rows in which a challenger may not be shown to be worse by more than the
        margins: a SQL expression over the rows of the features, whose values are the groups, or
        the edges of bins of the column of that name. A tuple of columns is short for each of them.
    min_slice_rows : int
        Smaller groups are not judged.
    fairness : dict of str to dict of str to float
        By slice, limits of ``equalized_odds_difference`` and ``demographic_parity_difference`` (of
        a binary model) or ``error_gap``, the difference between the groups' mean errors: the share
        of wrong classes, or the mean absolute error.
    max_calibration_error : float or None
        Limit of the expected calibration error, in the unit of the prediction.
    max_overfit_gap : float, str or None
        By how much the primary metric may be better on the training window than on the evaluation
        window; the training window is scored for it. As a margin.
    max_latency_ms : float or None
        Budget of one row, features given: 99 of 100 rows must be scored within it. None measures
        nothing.
    max_model_mb : float or None
        Limit of the size of the model's files, in millions of bytes; None reports it only.
    shap : bool
        Whether the reasons of single predictions are Shapley values, by the library of this name
        (extra ``explanations``), which takes seconds to import.
    ask_on : tuple of str
        Kinds of criteria of which one that fails, or cannot be told, asks a person and does not
        keep the champion: ``non_inferiority``, ``slice``, ``fairness``, ``calibration``,
        ``overfit``, ``latency``, ``size``.
    approval : str
        ``"always"``: a person decides about each challenger that would be promoted.
    confidence : float
        Confidence of each two-sided interval, in (0, 1): a challenger that is no better is promoted
        with a chance of at most half of the rest.
    n_bootstrap : int
        Resamples of the paired bootstrap.
    min_class_rows : int
        With fewer rows of either class in the evaluation window the verdict is "cannot_tell"; so
        many rows two of several classes must have, and twice as many a regression.
    """

    metric: str | None = None
    superiority: tuple[str, ...] | None = None
    non_inferiority: dict[str, Margin] = Field(default_factory=dict)
    min_value: float | None = None
    slices: dict[Column, str | tuple[float, ...]] = Field(default_factory=dict)
    min_slice_rows: int = Field(default=100, ge=10)
    fairness: dict[str, dict[str, Annotated[float, Field(ge=0)]]] = Field(default_factory=dict)
    max_calibration_error: float | None = Field(default=None, gt=0)
    max_overfit_gap: Margin | None = None
    max_latency_ms: float | None = Field(default=100, gt=0)
    max_model_mb: float | None = Field(default=None, gt=0)
    shap: bool = False
    ask_on: tuple[Kind, ...] = ()
    approval: Literal["never", "always"] = "never"
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    n_bootstrap: int = Field(default=500, ge=50, le=20_000)
    min_class_rows: int = Field(default=10, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _take_old_limit(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or "max_worse_log_loss" not in fields:
            return fields
        text = "GateSpec(max_worse_log_loss=x) is non_inferiority={'log_loss': x} now; "
        warnings.warn(f"{text}the old name goes in 0.3", DeprecationWarning, stacklevel=2)
        given = dict(fields)
        margins = {"log_loss": given.pop("max_worse_log_loss")}
        return given | {"non_inferiority": margins | given.get("non_inferiority", {})}

    @model_validator(mode="before")
    @classmethod
    def _name_columns(cls, fields: Any) -> Any:
        slices = fields.get("slices") if isinstance(fields, dict) else None
        if isinstance(slices, list | tuple):
            return fields | {"slices": {name: f'"{name}"' for name in slices}}
        return fields

    @model_validator(mode="after")
    def _check_metrics(self) -> Self:
        if self.metric is not None and self.metric in (self.superiority or ()):
            raise ValueError(
                f"superiority: {self.metric!r} is the primary metric already; name others"
            )
        if len(set(self.superiority or ())) < len(self.superiority or ()):
            raise ValueError("superiority: a metric is named twice")
        return self

    @model_validator(mode="after")
    def _check_slices(self) -> Self:
        for name, groups in self.slices.items():
            if isinstance(groups, str):
                if not groups.strip():
                    raise ValueError(f"slices: {name!r} is empty; write a column or an expression")
                continue
            rising = all(low < high for low, high in itertools.pairwise(groups))
            if not groups or not rising or not all(map(math.isfinite, groups)):
                raise ValueError(
                    f"slices: {name!r} has the edges {list(groups)}; write at least one finite "
                    "number, each larger than the one before"
                )
        return self

    @model_validator(mode="after")
    def _check_fairness(self) -> Self:
        for name, limits in self.fairness.items():
            if name not in self.slices:
                raise ValueError(
                    f"fairness: {name!r} is no slice; {did_you_mean(name, self.slices)}. Name the "
                    f"groups in slices={{{name!r}: ...}}"
                )
            if not limits:
                raise ValueError(f"fairness: {name!r} has no limit; name one of {list(FAIRNESS)}")
            for limit in limits:
                if limit not in FAIRNESS:
                    raise ValueError(f"fairness: {limit!r}: {did_you_mean(limit, FAIRNESS)}")
        return self
