"""Metrics of more than two classes."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics import decisions, row_values
from mlops_tasks.problem_types.metrics.binary import BINARY
from mlops_tasks.problem_types.metrics.catalogue import Catalogue, Family
from mlops_tasks.problem_types.metrics.decisions import Confusion
from mlops_tasks.problem_types.metrics.means import BoundedMean, Mean
from mlops_tasks.problem_types.metrics.metric import Metric
from mlops_tasks.problem_types.metrics.ranking import MeanRocAuc, RocAuc

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.metrics.statistic import Statistic
    from mlops_tasks.problem_types.outcomes import Outcomes

    Floats = npt.NDArray[np.float64]

__all__ = ["MULTICLASS"]


def _roc_auc(outcomes: Outcomes) -> Statistic | None:
    import numpy as np

    present, strata = np.unique(outcomes.y_true, return_inverse=True)
    if len(present) < 2:
        return None
    classes = [
        (stratum, RocAuc(outcomes.y_true == code, outcomes.y_pred[:, code]))
        for stratum, code in enumerate(present.tolist())
        if code >= 0
    ]
    return MeanRocAuc(strata, classes)


def _log_loss(outcomes: Outcomes) -> Statistic:
    return Mean(row_values.log_losses(outcomes))


def _brier(outcomes: Outcomes) -> Statistic:
    return BoundedMean(row_values.brier_losses(outcomes), 0.0, 2.0)


def _accuracy(outcomes: Outcomes) -> Statistic:
    return BoundedMean(row_values.hits(outcomes), 0.0, 1.0)


def _decided(function: Callable[[Floats], float]) -> Callable[[Outcomes], Statistic]:
    """Judge decided classes; those that the version has never seen are one class more."""

    def prepare(outcomes: Outcomes) -> Statistic:
        import numpy as np

        n = outcomes.y_pred.shape[1]
        y_true = np.where(outcomes.y_true < 0, n, outcomes.y_true)
        return Confusion(y_true, outcomes.decided, n, function)

    return prepare


def _top_k_accuracy(name: str, number: str) -> Metric | None:
    k = int(number)

    def prepare(outcomes: Outcomes) -> Statistic:
        return BoundedMean(row_values.top_k_hits(outcomes, k), 0.0, 1.0)

    return Metric(name, "multiclass", f"top-{k} accuracy", prepare) if k > 0 else None


def _f_macro(name: str, number: str) -> Metric | None:
    if float(number) == 0:
        return None
    function = partial(decisions.mean_f_beta, beta=float(number))
    return Metric(name, "multiclass", f"macro F{number}", _decided(function), of_decisions=True)


def _of_class(name: str, kind: str, chosen: str) -> Metric | None:
    """Return a metric of two classes for one class against all others."""
    binary = BINARY.find(kind)
    if binary is None:
        return None

    def prepare(outcomes: Outcomes) -> Statistic | None:
        if chosen not in outcomes.classes:
            return None
        code = outcomes.classes.index(chosen)
        pred = (outcomes.decided == code) * 1.0 if binary.of_decisions else outcomes.y_pred[:, code]
        own = (outcomes.y_true == code).astype(int)
        return binary.prepare(replace(outcomes, y_true=own, y_pred=pred, threshold=0.5))

    rows = f", {binary.needs.replace('true', repr(chosen))}" if binary.needs else ""
    return replace(
        binary,
        name=name,
        problem_type="multiclass",
        title=f"{binary.title} of {chosen}",
        prepare=prepare,
        needs=f"a version that knows {chosen!r}{rows}",
    )


MULTICLASS = Catalogue(
    Metric("accuracy", "multiclass", "accuracy", _accuracy, of_decisions=True),
    Metric(
        "balanced_accuracy",
        "multiclass",
        "balanced accuracy",
        _decided(decisions.balanced_accuracy),
        of_decisions=True,
    ),
    Metric("log_loss", "multiclass", "log loss", _log_loss, greater_is_better=False, high=math.inf),
    Metric("brier", "multiclass", "Brier score", _brier, greater_is_better=False, high=2.0),
    Metric(
        "roc_auc",
        "multiclass",
        "ROC AUC (each class against all others)",
        _roc_auc,
        needs="rows of two classes",
    ),
    Metric(
        "precision_macro",
        "multiclass",
        "macro precision",
        _decided(decisions.mean_precision),
        of_decisions=True,
    ),
    Metric(
        "recall_macro",
        "multiclass",
        "macro recall",
        _decided(decisions.balanced_accuracy),
        of_decisions=True,
    ),
    Metric(
        "f1_weighted",
        "multiclass",
        "weighted F1",
        _decided(decisions.weighted_f1),
        of_decisions=True,
    ),
    Family("f<beta>_macro", r"f(\d+(?:\.\d+)?)_macro", _f_macro),
    Family("top_<k>_accuracy", r"top_(\d+)_accuracy", _top_k_accuracy),
    Family("<metric of binary>[<class>]", r"([a-z0-9_.]+)\[(.+)\]", _of_class),
)
