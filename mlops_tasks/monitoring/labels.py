"""Labels, once they are there: they distinguish a world that moved from a model that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.drift import Answer, Baseline, DriftPolicy, detect_drift, effective_days
from mlops_tasks.monitoring.results import Check
from mlops_tasks.problem_types import LABEL, TARGET, problem_type
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.registry.artifacts import LABEL_PROFILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.drift import DriftReport
    from mlops_tasks.monitoring.labelled_predictions import LabelledPredictions
    from mlops_tasks.profiles import Profile
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["compare_labels", "interpret", "mature_days"]


def compare_labels(
    predictions: LabelledPredictions,
    performance: Sequence[Check],
    champion: RegisteredVersion,
    *,
    tracking: Tracking,
) -> tuple[Check, DriftReport | None]:
    """Compare the labels of mature days with those of the champion's training.

    There is no report, and no value of the check, when nobody can tell: labels that are not mature,
    or a version that was trained before labels were profiled. Always against the training: that is
    what the model has learnt.
    """
    limits, mature = predictions.spec.drift, mature_days(predictions)
    if unknown := _why_not(predictions, champion, mature):
        return Check(LABEL, None, limits.min_effect, False, unknown), None
    days = unpack_days(tracking.read_artifact(champion, LABEL_PROFILES))
    trained_on = f"the training data of version {champion.version}"
    reference = Baseline.of(list(days.values()), trained_on)
    problem = problem_type(predictions.spec.problem_type)
    current = problem.profile_labels(predictions.rows(mature).column(TARGET))
    report = _compare(predictions, reference, current, mature)
    described = problem.describe_labels((reference.whole, current))
    return _check(predictions, report, described, mature, performance), report


def mature_days(predictions: LabelledPredictions) -> list[str]:
    """Return the days of which `PerformanceSpec.min_coverage` of the predictions have a label."""
    enough = predictions.spec.performance.min_coverage
    return [day for day, share in predictions.coverage.items() if share and share >= enough]


def interpret(*, moved: bool, performance: Sequence[Check]) -> str:
    """Say in one clause what labels and performance mean together; empty when all is well.

    `moved` is whether the labels have moved; the checks are those of `performance_checks`. Labels
    that move while each class stays as it was (prior shift, also called label shift) leave the
    ranking as it was and spoil the calibration. A new concept spoils both. Storkey (2009), When
    training and test sets are different: characterizing learning transfer, in: Dataset Shift in
    Machine Learning.
    """
    metric, gap = performance
    ranks = metric.name == "roc_auc"  # others see a prior shift themselves
    works, fails = ("ranks", "ranks worse") if ranks else ("predicts well", "predicts worse")
    if not moved:
        usual = "labels moved no further than days do"
        if metric.alarm:
            return f"{usual}, so the model or its inputs fail"
        return f"{usual}, but the predictions are off" if gap.alarm else ""
    if metric.alarm:
        return f"and the model {fails}" + (": more than a prior shift" if ranks else "")
    if metric.value is None:
        return f"whether the model still {works}, nobody can tell yet"
    if gap.alarm:
        return (
            f"prior shift: the model still {works}, but its predictions are off; training again "
            "helps"
        )
    return f"the world moved and the model followed: it {works} and is calibrated"


def _why_not(
    predictions: LabelledPredictions, champion: RegisteredVersion, mature: Sequence[str]
) -> str:
    """Say why labels cannot be compared; empty if they can."""
    if LABEL_PROFILES not in champion.artifacts:
        return (
            f"{LABEL}: no profile of labels in version {champion.version}; it was trained before "
            "labels were profiled, the next version will have one"
        )
    if not mature:
        enough = predictions.spec.performance.min_coverage
        most = max(predictions.coverage.values())
        return (
            f"{LABEL}: no day has labels for {_percent(enough)} of its predictions yet, at most "
            f"{_percent(most)}; if more never come, lower min_coverage in PerformanceSpec"
        )
    return ""


def _compare(
    predictions: LabelledPredictions, reference: Baseline, current: Profile, days: Sequence[str]
) -> DriftReport:
    limits = predictions.spec.drift
    one_day = predictions.first == predictions.last
    return detect_drift(
        reference,
        current,
        window=predictions.last if one_day else f"{predictions.first} to {predictions.last}",
        n_days=effective_days(predictions.day_sizes(days)),
        policy=DriftPolicy(limits.level_of_part, limits.min_effect, limits.min_rows),
        coverage=predictions.there,
    )


def _check(
    predictions: LabelledPredictions,
    report: DriftReport,
    described: str,
    mature: Sequence[str],
    performance: Sequence[Check],
) -> Check:
    """Say in one line what moved, whether that is more than chance, and what it means."""
    (column,) = report.columns
    limits = predictions.spec.drift
    if column.answer is Answer.TOO_FEW:
        text = f"{described} on {report.n_rows} rows: {Answer.TOO_FEW}, at least {limits.min_rows}"
        return Check(LABEL, None, limits.min_effect, False, f"{text} are needed")
    worst = max(column.evidence, key=lambda one: one.severity)
    effect, threshold = worst.effect or 0.0, worst.threshold or 0.0
    text = f"{described}; effect {effect:.3f}, alarm above {threshold:.3f}"
    if meaning := interpret(moved=column.alarm, performance=performance):
        text += f"; {meaning}"
    if waiting := [day for day in predictions.days if day not in mature]:
        left_out = (f"{day} ({_percent(predictions.coverage[day])} labelled)" for day in waiting)
        text += f"; left out until more labels come: {', '.join(left_out)}"
    return Check(LABEL, effect, threshold, column.alarm, text)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
