"""Labels, once they are there: they tell a world that moved from a model that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.drift.baseline import Baseline
from mlops_tasks.drift.decision import Answer, DriftPolicy
from mlops_tasks.drift.detection import detect_drift
from mlops_tasks.monitoring.pages import publish_page
from mlops_tasks.monitoring.results import Check, MonitorResult
from mlops_tasks.problem_types.binary.classes import LABEL, positive_share, profile_labels
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.registry.tracking import LABEL_PROFILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.drift.report import DriftReport
    from mlops_tasks.lake import Lake
    from mlops_tasks.monitoring.outcomes import Outcomes
    from mlops_tasks.profiles import Profile
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["measure_labels", "tell_apart"]


def measure_labels(
    outcomes: Outcomes,
    performance: MonitorResult,
    champion: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
) -> MonitorResult:
    """Compare the share of positive labels in a window with that of the champion's training.

    Parameters
    ----------
    outcomes : Outcomes
        From `read_outcomes`; beyond it only the profiles of the training are read.
    performance : MonitorResult
        From `measure_performance` on the same outcomes: it tells a moved world from a failing
        model.
    champion : RegisteredVersion
        The version that scored the last day.
    lake, tracking : Lake, Tracking
        Where the report goes, and where the profiles of the training are.

    Returns
    -------
    MonitorResult
        One check, named ``label``, and the address of the report. The check has no value when
        nobody can tell: too few rows, labels that are not mature, or a version that was trained
        before labels were profiled. Its rows are those of the mature days.

    Notes
    -----
    Decided by `detect_drift` with `DriftSpec.level_of_part`, always against the training: that is
    the share that the model has learnt. A day is mature once `PerformanceSpec.min_coverage` of its
    predictions have a label; when late labels come, the comparison is made again.
    """
    spec = outcomes.spec
    mature = _mature_days(outcomes)
    if untold := _why_not(outcomes, champion, mature):
        check, report = Check(LABEL, None, spec.drift.min_effect, False, untold), ""
    else:
        reference = _labels_trained_on(champion, tracking)
        current = profile_labels(outcomes.rows(mature).column("y"))
        found = _compare(outcomes, reference, current, mature)
        check = _check(outcomes, found, _shares(reference, current), performance)
        report = publish_page(
            found,
            outcomes.last,
            topic="labels",
            table=f"{spec.name}__labels",
            spec=spec,
            champion=champion,
            lake=lake,
            tracking=tracking,
        )
    return MonitorResult(
        first=outcomes.first,
        last=outcomes.last,
        n_rows=sum(outcomes.days[day].num_rows for day in mature),
        model_version=outcomes.version,
        checks=(check,),
        coverage=outcomes.coverage[outcomes.last],
        report=report,
    )


def tell_apart(*, moved: bool, performance: MonitorResult) -> str:
    """Say what labels and performance mean together.

    Parameters
    ----------
    moved : bool
        Whether the share of positive labels has moved.
    performance : MonitorResult
        With the checks ``roc_auc`` and ``calibration_gap``.

    Returns
    -------
    str
        One clause; empty when nothing is the matter.

    Notes
    -----
    A share that moves while each class stays as it was (prior shift, also called label shift)
    leaves the ROC AUC as it was and spoils the calibration. A new concept spoils the ROC AUC.

    References
    ----------
    Storkey (2009), When training and test sets are different: characterizing learning transfer, in:
    Dataset Shift in Machine Learning.
    """
    checks = {check.name: check for check in performance.checks}
    ranking, gap = checks["roc_auc"], checks["calibration_gap"]
    if not moved:
        return _at_rest(ranking, gap)
    if ranking.alarm:
        return "and the model ranks worse: more than a prior shift"
    if ranking.value is None:
        return "whether the model still ranks, nobody can tell yet"
    if gap.alarm:
        return "prior shift: the model still ranks, but its scores are off; training again helps"
    return "the world moved and the model followed: it ranks and its scores are right"


def _at_rest(ranking: Check, gap: Check) -> str:
    usual = "labels moved no further than days do"
    if ranking.alarm:
        return f"{usual}, so the model or its inputs fail"
    return f"{usual}, but the scores are off" if gap.alarm else ""


def _labels_trained_on(champion: RegisteredVersion, tracking: Tracking) -> Baseline:
    days = unpack_days(tracking.read_artifact(champion, LABEL_PROFILES))
    return Baseline.of(list(days.values()), f"the training data of version {champion.version}")


def _mature_days(outcomes: Outcomes) -> list[str]:
    """List the days whose labels are there, but for a few."""
    enough = outcomes.spec.performance.min_coverage
    return [day for day, share in outcomes.coverage.items() if share and share >= enough]


def _why_not(outcomes: Outcomes, champion: RegisteredVersion, mature: list[str]) -> str:
    """Say why labels cannot be compared; empty if they can."""
    if LABEL_PROFILES not in champion.artifacts:
        return (
            f"{LABEL}: no profile of labels in version {champion.version}; it was trained before "
            "labels were profiled, the next version will have one"
        )
    if not mature:
        enough, most = outcomes.spec.performance.min_coverage, max(outcomes.coverage.values())
        return (
            f"{LABEL}: no day has labels for {_percent(enough)} of its predictions yet, at most "
            f"{_percent(most)}; if more never come, lower min_coverage in PerformanceSpec"
        )
    return ""


def _compare(
    outcomes: Outcomes, reference: Baseline, current: Profile, days: Sequence[str]
) -> DriftReport:
    from mlops_tasks.drift.day_effects import effective_days

    limits = outcomes.spec.drift
    one_day = outcomes.first == outcomes.last
    return detect_drift(
        reference,
        current,
        window=outcomes.last if one_day else f"{outcomes.first} to {outcomes.last}",
        n_days=effective_days([outcomes.days[day].num_rows for day in days]),
        policy=DriftPolicy(limits.level_of_part, limits.min_effect, limits.min_rows),
    )


def _shares(reference: Baseline, current: Profile) -> str:
    sides: tuple[Any, ...] = (reference.whole, current)
    old, new = (positive_share(side.columns[LABEL]) for side in sides)
    return f"{LABEL} share {_percent(old)} → {_percent(new)}"


def _check(
    outcomes: Outcomes, report: DriftReport, shares: str, performance: MonitorResult
) -> Check:
    """Tell it in one line: what moved, whether that is more than chance, and what it means."""
    (column,) = report.columns
    limits = outcomes.spec.drift
    if column.answer is Answer.TOO_FEW:
        text = f"{shares} on {report.n_rows} rows: {Answer.TOO_FEW}, at least {limits.min_rows}"
        return Check(LABEL, None, limits.min_effect, False, f"{text} are needed")
    worst = max(column.evidence, key=lambda one: one.severity)
    effect, threshold = worst.effect or 0.0, worst.threshold or 0.0
    text = f"{shares}; effect {effect:.3f}, alarm above {threshold:.3f}"
    if meaning := tell_apart(moved=column.alarm, performance=performance):
        text += f"; {meaning}"
    if waiting := [day for day in outcomes.days if day not in _mature_days(outcomes)]:
        left_out = (f"{day} ({_percent(outcomes.coverage[day])} labelled)" for day in waiting)
        text += f"; left out until more labels come: {', '.join(left_out)}"
    return Check(LABEL, effect, threshold, column.alarm, text)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
