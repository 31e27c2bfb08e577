"""Drift of inputs and predictions in a window of scored days, from profiles alone."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from mlops_tasks.drift import Answer, Baseline, DriftPolicy, detect_drift, effective_days
from mlops_tasks.drift.baseline import FEW_DAYS, reference_span
from mlops_tasks.features.text import is_unseen
from mlops_tasks.monitoring.results import Check
from mlops_tasks.partitions import DAY, Partition
from mlops_tasks.personal import redacted
from mlops_tasks.problem_types import problem_type
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.profiles.by_day import merged_days
from mlops_tasks.profiles.store import ProfileStore
from mlops_tasks.registry.artifacts import FEATURE_PROFILES, IMPORTANCE, SCORE_PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.drift import ColumnDrift, DriftReport
    from mlops_tasks.lake import Lake
    from mlops_tasks.partitions import Coverage
    from mlops_tasks.profiles.store import ProfiledDays
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["compare_days", "drift_checks", "read_scored_days", "redacted_report"]

_VERSION = "model_version"


def read_scored_days(spec: ModelSpec, first: str, last: str, *, lake: Lake) -> ProfiledDays:
    """Return the profiles of scored partitions by day; hours of different versions apart."""
    return ProfileStore(lake).read_days(
        spec.predictions_table,
        spec.calendar,
        spec.timezone,
        first=first,
        last=last,
        categorical=spec.categorical,
        apart=_VERSION,
    )


def compare_days(
    spec: ModelSpec,
    scored: ProfiledDays,
    champion: RegisteredVersion,
    *,
    coverage: Coverage,
    lake: Lake,
    tracking: Tracking,
) -> DriftReport:
    """Compare inputs and predictions of scored days with their references, in one report.

    `scored` has the profiles of scored partitions, from `read_scored_days`. Only predictions of
    this very version are compared, and words that are new to it. Inputs and predictions each have
    their third of the chance of a false alarm, `DriftSpec.level_of_part`.
    """
    first, last = scored.covered[0], scored.covered[-1]
    name = last if first == last else f"{first} to {last}"
    limits = spec.drift
    third = DriftPolicy(limits.level_of_part, limits.min_effect, limits.min_rows)
    if limits.reference == "training":
        features, scores = _trained_on(spec, champion, tracking)
    else:
        features, scores = _scored_before(spec, first, last, champion, lake)
    own = (
        {day: _of_vocabulary(one, champion) for day, one in days.items()} for days in scored.parts
    )
    every = list(merged_days(own).values())
    current = Profile.merged(every)
    features = features.only(
        name for name in features.whole.columns if name in current.columns or not is_unseen(name)
    )
    inputs = detect_drift(
        features,
        current.only(features.whole.columns),
        window=name,
        n_days=_effective(every),
        policy=third,
        importance=_importance(features.whole, champion, tracking),
        coverage=coverage,
    )
    ours = [days for days in scored.parts if _versions(days.values()) == {champion.version}]
    answers = list(merged_days(ours).values())
    if not answers:
        return redacted_report(spec, inputs)
    predictions = detect_drift(
        scores,
        _compared(spec, Profile.merged(answers)),
        window=name,
        n_days=_effective(answers),
        policy=third,
    )
    columns = sorted((*inputs.columns, *predictions.columns), key=lambda one: (-one.rank, one.name))
    both = replace(
        inputs,
        columns=tuple(columns),
        n_comparisons=inputs.n_comparisons + predictions.n_comparisons,
        policy=replace(third, level=limits.level),
    )
    return redacted_report(spec, both)


def redacted_report(spec: ModelSpec, report: DriftReport) -> DriftReport:
    """Hide categories and numbers of personal features; effects and shares stay."""

    def shown(column: ColumnDrift) -> ColumnDrift:
        evidence = (
            replace(one, text=redacted(spec, column.name, one.text)) for one in column.evidence
        )
        labels = (redacted(spec, column.name, one) for one in column.picture.labels)
        picture = replace(column.picture, labels=tuple(labels))
        return replace(column, evidence=tuple(evidence), picture=picture)

    return replace(report, columns=tuple(map(shown, report.columns)))


def drift_checks(spec: ModelSpec, report: DriftReport) -> list[Check]:
    """Return what each column, and their list, have come to."""
    checks = [_check(spec, column) for column in report.columns]
    if report.schema.alarm:
        checks.append(Check("schema", None, 0.0, True, f"schema: {report.schema.text}"))
    return checks


def _check(spec: ModelSpec, column: ColumnDrift) -> Check:
    """Return the strongest evidence of one column."""
    measured = [one for one in column.evidence if one.threshold is not None]
    if column.answer is Answer.TOO_FEW or not measured:
        text = f"{column.name}: {Answer.TOO_FEW}, at least {spec.drift.min_rows} are needed"
        return Check(column.name, None, spec.drift.min_effect, False, text, column.importance)
    worst = max(measured, key=lambda one: one.severity)
    effect = "without bound" if worst.effect is None else f"{worst.effect:.3f}"
    text = f"{column.name}: {worst.text}; effect {effect}, alarm above {worst.threshold:.3f}"
    threshold = worst.threshold or 0.0
    return Check(column.name, worst.effect, threshold, column.alarm, text, column.importance)


def _effective(days: Sequence[Profile]) -> float:
    return effective_days([day.n_rows for day in days])


def _trained_on(
    spec: ModelSpec, champion: RegisteredVersion, tracking: Tracking
) -> tuple[Baseline, Baseline]:
    """Return the features of the version's training, and the predictions of its evaluation."""
    files = [tracking.read_artifact(champion, one) for one in (FEATURE_PROFILES, SCORE_PROFILES)]
    about = champion.version, spec.categorical, spec.problem_type, spec.threshold
    return _learnt(*files, *about)


@lru_cache(maxsize=8)  # where one process looks at many days, what the version learnt is the same
def _learnt(
    features: bytes,
    scores: bytes,
    version: str,
    categorical: tuple[str, ...],
    kind: str,
    threshold: float,
) -> tuple[Baseline, Baseline]:
    problem = problem_type(kind)
    return (
        Baseline.of(
            [day.declared(categorical) for day in unpack_days(features).values()],
            f"the training data of version {version}",
        ),
        Baseline.of(
            [problem.compared(day, threshold) for day in unpack_days(scores).values()],
            f"the evaluation of version {version}",
        ),
    )


def _scored_before(
    spec: ModelSpec, first: str, last: str, champion: RegisteredVersion, lake: Lake
) -> tuple[Baseline, Baseline]:
    """Return features and scores of the days that the spec chooses, as they were scored."""
    begin, end = _reference(spec, first, last)
    found = ProfileStore(lake).read_window(
        spec.predictions_table,
        first=begin,
        last=end,
        n_days=FEW_DAYS,
        categorical=spec.categorical,
        grain=spec.calendar,
        timezone=spec.timezone,
        apart=_VERSION,
    )
    keys = found.covered
    label = f"{len(keys)} scored {spec.rows.grain}s"
    label += f", {keys[0]} to {keys[-1]}" if keys else ""
    whole, few = (
        [_of_vocabulary(one, champion) for one in some] for some in (found.parts, found.days)
    )
    both = Baseline.of(whole, label, days=few)
    own = {*problem_type(spec.problem_type).profiled, _VERSION}
    features = [name for name in both.whole.columns if name not in own]
    parts, single = ([_compared(spec, one) for one in some] for some in (found.parts, found.days))
    return both.only(features), Baseline.of(parts, label, days=single)


def _compared(spec: ModelSpec, predictions: Profile) -> Profile:
    return problem_type(spec.problem_type).compared(predictions, spec.threshold)


def _reference(spec: ModelSpec, first: str, last: str) -> tuple[str, str]:
    """Return the partitions of a reference, chosen in days: never one of the window itself."""
    limits, grain = spec.drift, spec.calendar
    begin, end = (spec.rows.partition(key).keys(DAY) for key in (first, last))
    span = reference_span(
        limits.reference, limits.reference_window.days, first=begin[0], last=end[-1]
    )
    low, high = (Partition(day, spec.timezone).keys(grain) for day in span)
    return low[0], min(high[-1], grain.shift(first, -1))


def _versions(days: Iterable[Profile]) -> set[str]:
    return {version for day in days for version in day.columns[_VERSION].counts}  # type: ignore[union-attr]


def _of_vocabulary(day: Profile, champion: RegisteredVersion) -> Profile:
    """Return a day without the words that were new to other versions, trained on other texts."""
    if _versions([day]) == {champion.version} or not any(map(is_unseen, day.columns)):
        return day
    return day.only(name for name in day.columns if not is_unseen(name))


def _importance(
    features: Profile, champion: RegisteredVersion, tracking: Tracking
) -> dict[str, float]:
    """Return the importance of each column; what is measured of a text has that of the text.

    Empty for a version whose evaluation was not explained.
    """
    if IMPORTANCE not in champion.artifacts:
        return {}
    found: dict[str, float] = json.loads(tracking.read_artifact(champion, IMPORTANCE))
    measures = {name: name.rpartition(".")[0] for name in features.columns if name not in found}
    return found | {name: found[text] for name, text in measures.items() if text in found}
