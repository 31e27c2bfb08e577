"""Monitor: drift and an estimate when a day is scored; performance once its labels are there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NeverScoredError
from mlops_tasks.lake import TrainingPin
from mlops_tasks.monitoring.domain_classifier import domain_classifier_check
from mlops_tasks.monitoring.drift import compare_days, drift_checks, read_scored_days
from mlops_tasks.monitoring.estimation import compare_estimate, estimate_check, with_say
from mlops_tasks.monitoring.estimation_rows import read_known, read_window
from mlops_tasks.monitoring.gaps import limited, window_coverage
from mlops_tasks.monitoring.labels import compare_labels, mature_days
from mlops_tasks.monitoring.pages import publish_page
from mlops_tasks.monitoring.performance import performance_checks
from mlops_tasks.monitoring.results import MonitorResult
from mlops_tasks.monitoring.windows import drift_window, sight_of
from mlops_tasks.partitions import Partition, grain_of
from mlops_tasks.problem_types import problem_type
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.serialization import from_json
from mlops_tasks.specs.calendar import scored_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake import Lake
    from mlops_tasks.monitoring import LabelledPredictions
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = [
    "estimate_performance",
    "judge_estimate",
    "measure_drift",
    "measure_labels",
    "measure_performance",
]


def measure_drift(
    spec: ModelSpec,
    partition: str,
    champion: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
    page: bool = True,
) -> MonitorResult:
    """Compare the trailing window of inputs and predictions with a reference.

    Parameters
    ----------
    spec : ModelSpec
        The model, with its drift policy.
    partition : str
        Last day of the window; scored.
    champion : RegisteredVersion
        The days it was trained on are the reference of the features, those of its evaluation that
        of the predictions, unless the spec asks for scored days.
    lake, tracking : Lake, Tracking
        Where the profiles are; no row is read.
    page : bool, default True
        Whether a report is published for people to look at.

    Returns
    -------
    MonitorResult
        One check per feature and per compared column of the predictions, as ``score`` and, cut
        from the scores at `ModelSpec.threshold`, ``predicted_class`` of a binary model; strongest
        first, and the address of the report. Only predictions of this very version are compared.

    Raises
    ------
    NeverScoredError
        If the day has no profile: it was never scored.

    Notes
    -----
    Decided by `detect_drift`; inputs and predictions each have `DriftSpec.level_of_part`, their
    third of the chance of a false alarm. The other third is that of the labels.
    """
    first = drift_window(spec, partition, lake)
    scored = read_scored_days(spec, first, partition, lake=lake)
    if partition not in scored.covered:
        raise NeverScoredError(
            f"model {spec.name!r}: {partition} has no profile of its predictions; run "
            f"{spec.name}.score for it"
        )
    coverage = window_coverage(spec, lake, first, partition, there=scored.covered)
    report = compare_days(spec, scored, champion, coverage=coverage, lake=lake, tracking=tracking)
    checks = limited(drift_checks(spec, report), coverage)
    if (limit := spec.drift.max_domain_auc) is not None:
        window = scored.covered[0], partition
        found = domain_classifier_check(
            spec, window, champion, limit=limit, lake=lake, tracking=tracking
        )
        checks.append(found)
    published = ""
    if page:
        published = publish_page(
            report,
            partition,
            topic="drift",
            table=spec.predictions_table,
            spec=spec,
            champion=champion,
            lake=lake,
            tracking=tracking,
        )
    return MonitorResult(
        first=first,
        last=partition,
        n_rows=report.n_rows,
        model_version=champion.version,
        checks=tuple(checks),
        gaps=coverage.text,
        report=published,
    )


def estimate_performance(
    spec: ModelSpec,
    partition: str,
    champion: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
    outcomes: Sequence[MonitorResult] = (),
) -> MonitorResult:
    """Estimate what the predictions of the trailing window are worth, before there are labels.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    partition : str
        Last day of the window; scored.
    champion : RegisteredVersion
        The version that scored it; only its own predictions count.
    lake, tracking : Lake, Tracking
        Where predictions, labels and the version's pin are.
    outcomes : sequence of MonitorResult, optional
        From `judge_estimate`, of the version's earlier windows, in order: an estimate whose
        intervals have not held loses its say.

    Returns
    -------
    MonitorResult
        One check, named for the gate's metric, with a 95 % interval of the value that labels will
        show. It has no value where nobody can tell: too few predictions whose labels are known, a
        window that is too small or too uncertain, less than half of which was scored, or intervals
        that have held too rarely.

    Raises
    ------
    NeverScoredError
        If the day was never scored by this version.

    Notes
    -----
    Classes by confidence-based estimation (CBPE) on calibrated scores, numbers by direct loss
    estimation, see `mlops_tasks.problem_types.expected_targets`. Calibrated on what the version has
    predicted after its training and whose labels were known when the day came to be scored. Both
    take a prediction to mean what it has meant: a change of concept is not seen.
    """
    version, known_at = champion.version, scored_on(spec, partition)
    sight = sight_of(spec, champion)
    window = read_window(spec, partition, version, sight, lake=lake)
    if window is None:
        raise NeverScoredError(
            f"model {spec.name!r}: version {version} has not scored {partition}; run "
            f"{spec.name}.score for it"
        )
    pin = from_json(TrainingPin, json.loads(tracking.read_artifact(champion, PIN_FILE)))
    learnt = Partition(pin.train[1], spec.timezone, grain_of(pin.train[1])).end
    begin = spec.calendar.key_of(learnt, spec.timezone)
    known = read_known(spec, partition, version, begin, lake=lake, known_at=known_at)
    check = estimate_check(spec, window, known, champion, sight, lake=lake, known_at=known_at)
    coverage = window_coverage(spec, lake, window.first, partition, there=window.there)
    return MonitorResult(
        first=window.first,
        last=partition,
        n_rows=window.n_rows,
        model_version=version,
        checks=tuple(limited([with_say(check, outcomes)], coverage)),
        gaps=coverage.text,
    )


def judge_estimate(
    predictions: LabelledPredictions, estimate: MonitorResult
) -> MonitorResult | None:
    """Compare what was estimated of a window with what its labels say.

    Parameters
    ----------
    predictions : LabelledPredictions
        From `read_labelled_predictions`, of the same last day.
    estimate : MonitorResult
        From `estimate_performance`, about the same version.

    Returns
    -------
    MonitorResult or None
        One check, which alarms where the realised value lies outside of the interval. None where
        there was no interval, or the window is not mature: labels of less than
        `PerformanceSpec.min_coverage` of a day.
    """
    check = compare_estimate(predictions, estimate)
    if check is None:
        return None
    return MonitorResult(
        first=estimate.first,
        last=estimate.last,
        n_rows=sum(
            rows.num_rows for key, rows in predictions.days.items() if key >= estimate.first
        ),
        model_version=predictions.version,
        checks=(check,),
    )


def measure_performance(
    predictions: LabelledPredictions, champion: RegisteredVersion
) -> MonitorResult:
    """Measure what the predictions of the trailing window were worth, now that labels are there.

    Parameters
    ----------
    predictions : LabelledPredictions
        From `read_labelled_predictions`.
    champion : RegisteredVersion
        The version that scored the last day.

    Returns
    -------
    MonitorResult
        A check named for the gate's metric (against its value at the version's gate) and
        ``calibration_gap``, and `coverage`, the share of the last day's predictions whose label is
        known.

    Raises
    ------
    EstimatorError
        If a prediction is none, such as no probability.
    """
    spec, outcomes = predictions.spec, predictions.outcomes()
    who = f"{spec.predictions_table}, {predictions.first} to {predictions.last}"
    problem_type(spec.problem_type).check_predictions(outcomes, who)
    sizes = predictions.day_sizes(predictions.days)
    checks = performance_checks(spec, outcomes, champion, day_sizes=sizes)
    return MonitorResult(
        first=predictions.first,
        last=predictions.last,
        n_rows=len(outcomes),
        model_version=predictions.version,
        checks=tuple(limited(checks, predictions.there)),
        gaps=predictions.there.text,
        coverage=predictions.coverage[predictions.last],
    )


def measure_labels(
    predictions: LabelledPredictions,
    performance: MonitorResult,
    champion: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
    page: bool = True,
) -> MonitorResult:
    """Compare the labels in a window with those of the champion's training.

    Parameters
    ----------
    predictions : LabelledPredictions
        From `read_labelled_predictions`; beyond it only the profiles of the training are read.
    performance : MonitorResult
        From `measure_performance` on the same predictions: it distinguishes a moved world from a
        failing model.
    champion : RegisteredVersion
        The version that scored the last day.
    lake, tracking : Lake, Tracking
        Where the report goes, and where the profiles of the training are.
    page : bool, default True
        Whether a report is published for people to look at.

    Returns
    -------
    MonitorResult
        One check, named ``label``, and the address of the report. The check has no value when
        nobody can tell: too few rows, labels that are not mature, less than half of the window
        scored, or a version that was trained before labels were profiled. Its rows are those of the
        mature days.

    Notes
    -----
    Decided by `detect_drift` with `DriftSpec.level_of_part`, always against the training: that is
    what the model has learnt. A day is mature once `PerformanceSpec.min_coverage` of its
    predictions have a label; when late labels come, the comparison is made again.
    """
    check, report = compare_labels(predictions, performance.checks, champion, tracking=tracking)
    published = ""
    if page and report is not None:
        published = publish_page(
            report,
            predictions.last,
            topic="labels",
            table=f"{predictions.spec.name}__labels",
            spec=predictions.spec,
            champion=champion,
            lake=lake,
            tracking=tracking,
        )
    return MonitorResult(
        first=predictions.first,
        last=predictions.last,
        n_rows=sum(predictions.days[day].num_rows for day in mature_days(predictions)),
        model_version=predictions.version,
        checks=tuple(limited([check], predictions.there)),
        gaps=predictions.there.text,
        coverage=predictions.coverage[predictions.last],
        report=published,
    )
