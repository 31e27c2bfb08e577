"""Monitor: drift of inputs and predictions, and realised performance once labels are there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mlops_tasks.drift import population_stability_index, psi_noise
from mlops_tasks.exceptions import NeverScoredError
from mlops_tasks.features import build_targets, feature_frame, join_targets
from mlops_tasks.profile import ColumnProfile
from mlops_tasks.tracking import FEATURE_PROFILE, SCORE_PROFILE
from mlops_tasks.types import Check, MonitorResult
from mlops_tasks.windows import feature_rows, shift_day

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.spec import ModelSpec, PerformanceSpec
    from mlops_tasks.tracking import RegisteredVersion, Tracking

__all__ = ["auc_standard_error", "measure_drift", "measure_performance"]

_ONE_SIDED_95 = 1.645
_TWO_SIDED_99 = 2.576


def measure_drift(
    spec: ModelSpec,
    partition: str,
    champion: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
) -> MonitorResult:
    """Compare the trailing window of inputs and predictions with the champion's own data.

    Parameters
    ----------
    spec : ModelSpec
        The model, with its drift thresholds.
    partition : str
        Last day of the window.
    champion : RegisteredVersion
        The profile of its training data is the reference of the features, that of its scores on
        its evaluation window the reference of the predictions.
    lake, tracking : Lake, Tracking
        Where data and profiles are.

    Returns
    -------
    MonitorResult
        One check per feature and one named ``score``, strongest first. Only predictions of this
        very version are compared.

    Notes
    -----
    A column drifts when its population stability index lies above three things added up: the
    larger of the spec's threshold and of what the column does by itself from week to week
    (`ColumnProfile.typical`), and the sampling noise of both samples.
    """
    first = shift_day(partition, 1 - spec.drift.window_days)
    rows = feature_rows(spec, lake, first=first, last=partition)
    frame = feature_frame(spec, rows)
    features = tracking.read_json(champion.run_id, FEATURE_PROFILE)
    checks = [
        _drift_check(spec, name, ColumnProfile.from_json(features[name]), frame[name])
        if name in features
        else _unknown_check(spec, name, champion)
        for name in spec.features
    ]
    scores = _predictions(spec, lake, first, partition, champion.version).column("score")
    expected = ColumnProfile.from_json(tracking.read_json(champion.run_id, SCORE_PROFILE))
    checks.append(_drift_check(spec, "score", expected, scores.to_pandas()))
    return MonitorResult(
        first=first,
        last=partition,
        n_rows=rows.num_rows,
        model_version=champion.version,
        checks=tuple(sorted(checks, key=lambda check: -(check.value or 0.0))),
    )


def measure_performance(
    spec: ModelSpec, partition: str, *, lake: Lake, tracking: Tracking
) -> MonitorResult:
    """Measure what the predictions of the trailing window were worth, now that labels are there.

    Parameters
    ----------
    spec : ModelSpec
        The model, with its performance thresholds.
    partition : str
        Last day of the window, predicted and labelled.
    lake, tracking : Lake, Tracking
        Where data and model are.

    Returns
    -------
    MonitorResult
        Checks ``roc_auc`` (against the version's ROC AUC at its gate) and ``calibration_gap``, and
        `coverage`, the share of the day's predictions whose label is known. Only rows scored by
        the version that scored `partition` count.

    Raises
    ------
    NeverScoredError
        If the day has no predictions.
    NoLabelsError
        If no row of the window has a label, or all labels are the same.
    """
    first = shift_day(partition, 1 - spec.performance.window_days)
    version = _scored_by(spec, lake, partition)
    scored = _predictions(spec, lake, first, partition, version)
    labels = lake.read(spec.label.dataset.name, first=first, last=partition)
    joined = join_targets(spec, scored, build_targets(spec, labels))
    day = _predictions(spec, lake, partition, partition, version)
    of_day = lake.read(spec.label.dataset.name, first=partition, last=partition)
    known = day.join(build_targets(spec, of_day), keys=list(spec.key), join_type="inner")
    gate_auc = float(tracking.by_version(spec.name, version).tags["mlops.roc_auc"])
    return MonitorResult(
        first=first,
        last=partition,
        n_rows=joined.num_rows,
        model_version=version,
        checks=_performance_checks(spec.performance, joined, gate_auc),
        coverage=round(known.num_rows / day.num_rows, 4),
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
    limits: PerformanceSpec, joined: pa.Table, gate_auc: float
) -> tuple[Check, ...]:
    target, scores = joined.column("y").to_numpy(), joined.column("score").to_numpy()
    if len(target) < limits.min_rows:
        text = f"{len(target)} labelled rows, fewer than {limits.min_rows}: too few rows to tell"
        return tuple(Check(name, None, 0.0, False, text) for name in ("roc_auc", "calibration_gap"))
    return (_auc_check(limits, target, scores, gate_auc), _gap_check(limits, target, scores))


def _auc_check(limits: PerformanceSpec, target: Any, scores: Any, gate_auc: float) -> Check:
    from sklearn.metrics import roc_auc_score

    n_positive = int(target.sum())
    auc = float(roc_auc_score(target, scores))
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


def _drift_check(
    spec: ModelSpec, name: str, reference: ColumnProfile, current: pd.Series[Any]
) -> Check:
    import numpy as np

    limits = spec.drift
    if len(current) < limits.min_rows:
        text = f"{len(current)} rows, fewer than {limits.min_rows}: too few rows to tell"
        return Check(name, None, limits.threshold, False, text)
    old, new = np.array(reference.counts), reference.bins.count(current)
    value = population_stability_index(old, new)
    threshold = max(limits.threshold, reference.typical) + psi_noise(old, new)
    return Check(
        name,
        round(value, 4),
        round(threshold, 4),
        value > threshold,
        f"PSI {value:.3f} of {name}, {len(current)} rows against {reference.n_rows}; "
        f"alarm above {threshold:.3f}",
    )


def _unknown_check(spec: ModelSpec, name: str, champion: RegisteredVersion) -> Check:
    """Tell of a feature that joined the spec later: no evidence until the next training."""
    text = f"champion version {champion.version} was trained without {name}: nothing to compare"
    return Check(name, None, spec.drift.threshold, False, text)


def _predictions(spec: ModelSpec, lake: Lake, first: str, last: str, version: str) -> pa.Table:
    import pyarrow.compute as pc

    rows = lake.read(spec.predictions_table, first=first, last=last)
    return rows.filter(pc.equal(rows.column("model_version"), version))


def _scored_by(spec: ModelSpec, lake: Lake, partition: str) -> str:
    if not lake.exists(spec.predictions_table) or not (
        rows := lake.read(spec.predictions_table, first=partition, last=partition)
    ):
        raise NeverScoredError(
            f"model {spec.name!r}: {partition} was never scored, there is nothing to measure; run "
            f"{spec.name}.score for it if it should have been"
        )
    return str(rows.column("model_version")[0].as_py())
