"""Realised performance, once labels are there: ranking and calibration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mlops_tasks.monitoring.results import Check
from mlops_tasks.problem_types.binary.intervals import Interval, compare_scores, share_interval

if TYPE_CHECKING:
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import PerformanceSpec

__all__ = ["performance_checks"]

#: Two-sided; one bound of it is asked for, at 95 %.
_AUC_CONFIDENCE = 0.90
_GAP_CONFIDENCE = 0.99
_N_BOOTSTRAP = 200


def performance_checks(
    limits: PerformanceSpec, target: Any, scores: Any, champion: RegisteredVersion
) -> tuple[Check, ...]:
    """Compare the ROC AUC with that at the gate, and the mean score with the observed share.

    Both limits leave room for sampling error. That of the ROC AUC is the 95 % upper bound of
    `compare_scores` on these rows, joined with the lower bound at the gate, where rows may have
    been few as well (Zou, Donner 2008, Construction of confidence limits about effect measures: a
    general approach, Statistics in Medicine 27). That of the observed share is the exact 99 %
    interval, by which none or all positive rows are no proof either.
    """
    if len(target) < limits.min_rows:
        text = f"{len(target)} labelled rows, fewer than {limits.min_rows}: too few rows to tell"
        return tuple(Check(name, None, 0.0, False, text) for name in ("roc_auc", "calibration_gap"))
    return (
        _auc_check(limits, target, scores, _gate_auc(champion)),
        _gap_check(limits, target, scores),
    )


def _gate_auc(version: RegisteredVersion) -> Interval | None:
    """Return the ROC AUC that the gate measured; None for a version that passed no gate of ours."""
    value = version.metrics.get("roc_auc")
    if value is None:
        return None
    bounds = (version.metrics.get(f"roc_auc_{end}", value) for end in ("lower", "upper"))
    return Interval(value, *bounds)


def _auc_check(limits: PerformanceSpec, target: Any, scores: Any, gate: Interval | None) -> Check:
    n_positive = int(target.sum())
    n_negative = len(target) - n_positive
    if min(n_positive, n_negative) < limits.min_class_rows:
        text = (
            f"{n_positive} positive and {n_negative} negative labels: too few to tell a ROC AUC, "
            f"at least {limits.min_class_rows} of each are needed"
        )
        return Check("roc_auc", None, 0.0, False, text)
    if gate is None:
        text = "cannot tell: the gate has measured no ROC AUC of this version to compare with"
        return Check("roc_auc", None, 0.0, False, text)
    found = compare_scores(target, scores, confidence=_AUC_CONFIDENCE, n_bootstrap=_N_BOOTSTRAP)
    auc = found.roc_auc.value
    noise = math.hypot(found.roc_auc.upper - auc, gate.value - gate.lower)
    floor = gate.value - limits.max_auc_loss - noise
    text = (
        f"ROC AUC {auc:.4f} on {len(target)} labelled rows, {gate.value:.4f} at the gate; "
        f"alarm below {floor:.4f}"
    )
    return Check("roc_auc", round(auc, 4), round(floor, 4), auc < floor, text)


def _gap_check(limits: PerformanceSpec, target: Any, scores: Any) -> Check:
    share = share_interval(int(target.sum()), len(target), confidence=_GAP_CONFIDENCE)
    mean = float(scores.mean())
    gap = abs(mean - share.value)
    noise = share.upper - share.value if mean > share.value else share.value - share.lower
    ceiling = limits.max_calibration_gap + noise
    text = (
        f"predicted {mean:.4f}, observed {share.value:.4f} positive on {len(target)} labelled "
        f"rows; alarm above a gap of {ceiling:.4f}"
    )
    return Check("calibration_gap", round(gap, 4), round(ceiling, 4), gap > ceiling, text)
