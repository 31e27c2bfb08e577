"""Realised performance, once labels are there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mlops_tasks.types import Check, MonitorResult

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.monitoring.outcomes import Outcomes
    from mlops_tasks.spec import PerformanceSpec
    from mlops_tasks.types import RegisteredVersion

__all__ = ["auc_standard_error", "measure_performance"]

_ONE_SIDED_95 = 1.645
_TWO_SIDED_99 = 2.576


def measure_performance(outcomes: Outcomes, champion: RegisteredVersion) -> MonitorResult:
    """Measure what the predictions of the trailing window were worth, now that labels are there.

    Parameters
    ----------
    outcomes : Outcomes
        From `read_outcomes`.
    champion : RegisteredVersion
        The version that scored the last day.

    Returns
    -------
    MonitorResult
        Checks ``roc_auc`` (against the version's ROC AUC at its gate) and ``calibration_gap``, and
        `coverage`, the share of the last day's predictions whose label is known.
    """
    spec, rows = outcomes.spec, outcomes.rows()
    return MonitorResult(
        first=outcomes.first,
        last=outcomes.last,
        n_rows=rows.num_rows,
        model_version=outcomes.version,
        checks=_performance_checks(spec.performance, rows, champion.metrics.get("roc_auc")),
        coverage=outcomes.coverage[outcomes.last],
    )


def auc_standard_error(auc: float, n_positive: int, n_negative: int) -> float:
    """Return the standard error of a ROC AUC.

    Parameters
    ----------
    auc : float
        In [0, 1].
    n_positive, n_negative : int
        Rows of each class, at least 1.

    Returns
    -------
    float
        Standard error, same unit as the AUC.

    References
    ----------
    Hanley, McNeil (1982), "The meaning and use of the area under a ROC curve", Radiology 143.

    Examples
    --------
    >>> round(auc_standard_error(0.65, 200, 800), 4)
    0.0229
    """
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = (n_positive - 1) * (q1 - auc * auc) + (n_negative - 1) * (q2 - auc * auc)
    return math.sqrt((auc * (1 - auc) + spread) / (n_positive * n_negative))


def _performance_checks(
    limits: PerformanceSpec, joined: pa.Table, gate_auc: float | None
) -> tuple[Check, ...]:
    target, scores = joined.column("y").to_numpy(), joined.column("score").to_numpy()
    if len(target) < limits.min_rows:
        text = f"{len(target)} labelled rows, fewer than {limits.min_rows}: too few rows to tell"
        return tuple(Check(name, None, 0.0, False, text) for name in ("roc_auc", "calibration_gap"))
    return (_auc_check(limits, target, scores, gate_auc), _gap_check(limits, target, scores))


def _auc_check(limits: PerformanceSpec, target: Any, scores: Any, gate_auc: float | None) -> Check:
    from sklearn.metrics import roc_auc_score

    n_positive = int(target.sum())
    if n_positive in {0, len(target)}:
        text = f"all {len(target)} labels are {target[0]}: no ROC AUC without both classes"
        return Check("roc_auc", None, 0.0, False, text)
    auc = float(roc_auc_score(target, scores))
    if gate_auc is None:
        text = f"ROC AUC {auc:.4f}, but the ledger knows none at the gate to compare it with"
        return Check("roc_auc", None, 0.0, False, text)
    error = auc_standard_error(auc, n_positive, len(target) - n_positive)
    floor = gate_auc - limits.max_auc_loss - _ONE_SIDED_95 * error
    text = (
        f"ROC AUC {auc:.4f} on {len(target)} labelled rows, {gate_auc:.4f} at the gate; "
        f"alarm below {floor:.4f}"
    )
    return Check("roc_auc", round(auc, 4), round(floor, 4), auc < floor, text)


def _gap_check(limits: PerformanceSpec, target: Any, scores: Any) -> Check:
    share, mean = float(target.mean()), float(scores.mean())
    gap = abs(mean - share)
    noise = _TWO_SIDED_99 * math.sqrt(share * (1 - share) / len(target))
    ceiling = limits.max_calibration_gap + noise
    text = (
        f"predicted {mean:.4f}, observed {share:.4f} positive on {len(target)} labelled rows; "
        f"alarm above a gap of {ceiling:.4f}"
    )
    return Check("calibration_gap", round(gap, 4), round(ceiling, 4), gap > ceiling, text)
