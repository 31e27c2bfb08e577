"""What a candidate is worth on rows that it was not fitted on."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoLabelsError
from mlops_tasks.features import days_of_rows, feature_frame
from mlops_tasks.features.weights import row_weights
from mlops_tasks.problem_types import TARGET, gate_metric, problem_type
from mlops_tasks.problem_types.estimator import build_estimator, fit_estimator
from mlops_tasks.tuning.candidates import FoldScore
from mlops_tasks.tuning.folds import fold_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.problem_types.metrics import Metric
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.tuning.folds import Fold

__all__ = ["goodness", "measure_fold"]


def measure_fold(spec: ModelSpec, rows: pa.Table, fold: Fold) -> FoldScore:
    """Fit the model's estimator on one part of the training window and measure it on a later one.

    Parameters
    ----------
    spec : ModelSpec
        The model with a candidate, from `candidate_spec`.
    rows : Table
        From `labelled_rows` of the training window.
    fold : Fold
        One of `selection_folds`.

    Returns
    -------
    FoldScore
        In the metric of the gate.

    Raises
    ------
    NoLabelsError
        If there is nothing to learn from in the one part, or nothing to measure on in the other.
    EstimatorError
        If it cannot be fitted or asked.
    """
    problem = problem_type(spec.problem_type)
    fitted, measured = fold_rows(spec, rows, fold)
    target = fitted.column(TARGET).to_numpy(zero_copy_only=False)
    why = problem.learnable(spec, target) if fitted.num_rows else "no row has a label"
    if why or not measured.num_rows:
        raise NoLabelsError(
            f"model {spec.name!r}: candidates are fitted on {_words(fold.fitted)}, where "
            f"{why or 'rows are'}, and measured on {_words(fold.measured)}, which has "
            f"{measured.num_rows} rows; use a longer `train`, or leave out candidates and search"
        )
    model = build_estimator(spec, problem)
    started = time.monotonic()
    fit_estimator(
        spec, problem, model, feature_frame(spec, fitted), target, row_weights(spec, fitted)
    )
    seconds = round(time.monotonic() - started, 3)
    predictions = problem.predict(spec, model, feature_frame(spec, measured))
    days = days_of_rows(spec, measured)
    outcomes = problem.outcomes(spec, measured.column(TARGET), predictions, days)
    value = float(gate_metric(spec).value(outcomes))
    return FoldScore(
        fitted=fold.fitted,
        measured=fold.measured,
        n_fitted=fitted.num_rows,
        n_measured=measured.num_rows,
        value=value if math.isfinite(value) else None,
        seconds=seconds,
    )


def goodness(metric: Metric, value: float) -> float:
    """Return a value so that more is better; bias is the better the nearer it is to 0.

    Parameters
    ----------
    metric : Metric
        What it is a value of.
    value : float
        Its value.

    Returns
    -------
    float
        In the same unit.
    """
    if metric.greater_is_better:
        return value
    return -abs(value)


def _words(window: tuple[str, str]) -> str:
    return f"{window[0]} to {window[1]}"
