"""Metrics of two classes, of which true is the one that is looked for."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics import decisions, ranking, row_values
from mlops_tasks.problem_types.metrics.catalogue import Catalogue, Family
from mlops_tasks.problem_types.metrics.decisions import Confusion
from mlops_tasks.problem_types.metrics.means import BoundedMean, Mean
from mlops_tasks.problem_types.metrics.metric import Metric
from mlops_tasks.problem_types.metrics.ranking import RankedCurve, RocAuc

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.metrics.statistic import Statistic
    from mlops_tasks.problem_types.outcomes import Outcomes

    Floats = npt.NDArray[np.float64]

__all__ = ["BINARY"]

_TRUE, _BOTH = "rows that are true", "rows that are true and rows that are not"


def _roc_auc(outcomes: Outcomes) -> Statistic | None:
    positive = outcomes.y_true == 1
    return RocAuc(positive, outcomes.y_pred) if 0 < positive.sum() < len(positive) else None


def _log_loss(outcomes: Outcomes) -> Statistic:
    return Mean(row_values.log_losses(outcomes), outcomes.y_true)


def _brier(outcomes: Outcomes) -> Statistic:
    return BoundedMean(row_values.brier_losses(outcomes), 0.0, 1.0)


def _accuracy(outcomes: Outcomes) -> Statistic:
    return BoundedMean(row_values.hits(outcomes), 0.0, 1.0)


def _balanced_accuracy(outcomes: Outcomes) -> Statistic | None:
    both = 0 < outcomes.y_true.sum() < len(outcomes)
    return _decided(decisions.balanced_accuracy)(outcomes) if both else None


def _ranked(
    function: Callable[[Floats, Floats], float],
    slopes: Callable[[Floats, Floats], tuple[Floats, Floats]] | None = None,
) -> Callable[[Outcomes], Statistic | None]:
    def prepare(outcomes: Outcomes) -> Statistic | None:
        positive = outcomes.y_true == 1
        return RankedCurve(positive, outcomes.y_pred, function, slopes) if positive.any() else None

    return prepare


def _decided(function: Callable[[Floats], float]) -> Callable[[Outcomes], Statistic]:
    def prepare(outcomes: Outcomes) -> Statistic:
        return Confusion(outcomes.y_true, outcomes.decided, 2, function, both=True)

    return prepare


def _f_beta(name: str, number: str) -> Metric | None:
    if float(number) == 0:
        return None
    return Metric(
        name,
        "binary",
        f"F{number}",
        _decided(partial(decisions.f_beta, beta=float(number))),
        needs="rows that are true or decided to be true",
        of_decisions=True,
    )


def _recall_at_precision(name: str, number: str) -> Metric | None:
    if not 0 < float(number) <= 1:
        return None
    function = partial(ranking.recall_at_precision, floor=float(number))
    title = f"recall at a precision of {number}"
    return Metric(name, "binary", title, _ranked(function), needs=_TRUE)


BINARY = Catalogue(
    Metric("roc_auc", "binary", "ROC AUC", _roc_auc, needs=_BOTH),
    Metric(
        "average_precision",
        "binary",
        "average precision",
        _ranked(ranking.average_precision, ranking.average_precision_slopes),
        needs=_TRUE,
    ),
    Metric("log_loss", "binary", "log loss", _log_loss, greater_is_better=False, high=math.inf),
    Metric("brier", "binary", "Brier score", _brier, greater_is_better=False),
    Metric("accuracy", "binary", "accuracy", _accuracy, of_decisions=True),
    Metric(
        "balanced_accuracy",
        "binary",
        "balanced accuracy",
        _balanced_accuracy,
        needs=_BOTH,
        of_decisions=True,
    ),
    Metric(
        "precision",
        "binary",
        "precision",
        _decided(decisions.precision),
        needs="rows that are decided to be true",
        of_decisions=True,
    ),
    Metric(
        "recall",
        "binary",
        "recall",
        _decided(decisions.recall),
        needs=_TRUE,
        of_decisions=True,
    ),
    Family("f<beta>", r"f(\d+(?:\.\d+)?)", _f_beta),
    Family(
        "recall_at_precision_<floor>",
        r"recall_at_precision_(\d+(?:\.\d+)?)",
        _recall_at_precision,
    ),
)
