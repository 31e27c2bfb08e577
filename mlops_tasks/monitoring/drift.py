"""Drift of inputs and predictions, told from profiles alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.drift.baseline import FEW_DAYS, Baseline, reference_span
from mlops_tasks.drift.decision import Answer, DriftPolicy
from mlops_tasks.drift.detection import detect_drift
from mlops_tasks.exceptions import NeverScoredError
from mlops_tasks.monitoring.multivariate import compare_with_training
from mlops_tasks.monitoring.pages import publish_page
from mlops_tasks.monitoring.results import Check, MonitorResult
from mlops_tasks.partitions import shift_day
from mlops_tasks.problem_types.binary.classes import with_classes
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.profiles.store import ProfileStore
from mlops_tasks.registry.tracking import FEATURE_PROFILES, IMPORTANCE, SCORE_PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.drift.decision import ColumnDrift
    from mlops_tasks.drift.report import DriftReport
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["measure_drift"]

_SCORE, _VERSION = "score", "model_version"


def measure_drift(
    spec: ModelSpec,
    partition: str,
    champion: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
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

    Returns
    -------
    MonitorResult
        One check per feature, one named ``score`` and one named ``predicted_class``, which is told
        from the scores and `ModelSpec.threshold`; strongest first, and the address of the report.
        Only predictions of this very version are compared.

    Raises
    ------
    NeverScoredError
        If the day has no profile: it was never scored.

    Notes
    -----
    Decided by `detect_drift`; inputs and predictions each have `DriftSpec.level_of_part`, their
    third of the chance of a false alarm. The other third is that of the labels.
    """
    first = shift_day(partition, 1 - spec.drift.window_days)
    days = ProfileStore(lake).read(
        spec.predictions_table, first=first, last=partition, categorical=spec.categorical
    )
    if partition not in days:
        raise NeverScoredError(
            f"model {spec.name!r}: {partition} has no profile of its predictions; run "
            f"{spec.name}.score for it"
        )
    window = _Window(spec, champion, min(days), partition, list(days.values()))
    report = window.compare(_references(window, lake, tracking), _importance(champion, tracking))
    return MonitorResult(
        first=first,
        last=partition,
        n_rows=report.n_rows,
        model_version=champion.version,
        checks=(*_checks(spec, report), *_domain_classifier(window, lake, tracking)),
        report=publish_page(
            report,
            partition,
            topic="drift",
            table=spec.predictions_table,
            spec=spec,
            champion=champion,
            lake=lake,
            tracking=tracking,
        ),
    )


class _Window:
    """The days that are compared, and with what they can be."""

    def __init__(
        self,
        spec: ModelSpec,
        champion: RegisteredVersion,
        first: str,
        last: str,
        days: Sequence[Profile],
    ) -> None:
        self.spec, self.champion, self.first, self.last = spec, champion, first, last
        self.days = days
        self.scored = [day for day in days if set(_versions(day)) == {champion.version}]

    def compare(
        self, references: tuple[Baseline, Baseline], importance: dict[str, float]
    ) -> DriftReport:
        """Compare inputs, and predictions, and make one report of both."""
        features, scores = references
        name = self.last if self.first == self.last else f"{self.first} to {self.last}"
        limits = self.spec.drift
        third = DriftPolicy(limits.level_of_part, limits.min_effect, limits.min_rows)
        inputs = detect_drift(
            features,
            Profile.merged(self.days).only(features.whole.columns),
            window=name,
            n_days=_effective(self.days),
            policy=third,
            importance=importance,
        )
        if not self.scored:
            return inputs
        predictions = detect_drift(
            scores,
            with_classes(Profile.merged(self.scored), self.spec.threshold),
            window=name,
            n_days=_effective(self.scored),
            policy=third,
        )
        columns = sorted(
            (*inputs.columns, *predictions.columns), key=lambda one: (-one.rank, one.name)
        )
        return replace(
            inputs,
            columns=tuple(columns),
            n_comparisons=inputs.n_comparisons + predictions.n_comparisons,
            policy=replace(third, level=limits.level),
        )


def _effective(days: Sequence[Profile]) -> float:
    from mlops_tasks.drift.day_effects import effective_days

    return effective_days([day.n_rows for day in days])


def _references(window: _Window, lake: Lake, tracking: Tracking) -> tuple[Baseline, Baseline]:
    """Return the references of the features and of the scores."""
    spec, champion = window.spec, window.champion
    if spec.drift.reference != "training":
        return _scored_days(window, lake)
    trained = unpack_days(tracking.read_artifact(champion, FEATURE_PROFILES))
    judged = unpack_days(tracking.read_artifact(champion, SCORE_PROFILES))
    return (
        Baseline.of(
            [day.declared(spec.categorical) for day in trained.values()],
            f"the training data of version {champion.version}",
        ),
        Baseline.of(
            [with_classes(day, spec.threshold) for day in judged.values()],
            f"the evaluation of version {champion.version}",
        ),
    )


def _scored_days(window: _Window, lake: Lake) -> tuple[Baseline, Baseline]:
    spec, limits = window.spec, window.spec.drift
    first, last = reference_span(
        limits.reference, limits.reference_days, first=window.first, last=window.last
    )
    found = ProfileStore(lake).read_window(
        spec.predictions_table,
        first=first,
        last=last,
        n_days=FEW_DAYS,
        categorical=spec.categorical,
    )
    days = found.covered
    label = f"{len(days)} scored days" + (f", {days[0]} to {days[-1]}" if days else "")
    both = Baseline.of(found.parts, label, days=found.days)
    features = [name for name in both.whole.columns if name not in {_SCORE, _VERSION}]
    threshold = spec.threshold
    parts, single = ([with_classes(one, threshold) for one in s] for s in (found.parts, found.days))
    return both.only(features), Baseline.of(parts, label, days=single)


def _versions(day: Profile) -> Iterable[str]:
    versions: dict[str, int] = dict(day.columns[_VERSION].counts)  # type: ignore[union-attr]
    return versions


def _importance(champion: RegisteredVersion, tracking: Tracking) -> dict[str, float]:
    found: dict[str, float] = json.loads(tracking.read_artifact(champion, IMPORTANCE))
    return found


def _checks(spec: ModelSpec, report: DriftReport) -> list[Check]:
    """Tell what each column, and their list, have come to."""
    checks = [_check(spec, column) for column in report.columns]
    if report.schema.alarm:
        checks.append(Check("schema", None, 0.0, True, f"schema: {report.schema.text}"))
    return checks


def _domain_classifier(window: _Window, lake: Lake, tracking: Tracking) -> list[Check]:
    """Look at all columns at once, if the spec asks for it."""
    spec, limit = window.spec, window.spec.drift.max_domain_auc
    if limit is None:
        return []
    days = window.first, window.last
    return [
        compare_with_training(
            spec, days, window.champion, limit=limit, lake=lake, tracking=tracking
        )
    ]


def _check(spec: ModelSpec, column: ColumnDrift) -> Check:
    """Tell the strongest evidence of one column."""
    told = [one for one in column.evidence if one.threshold is not None]
    if column.answer is Answer.TOO_FEW or not told:
        text = f"{column.name}: {Answer.TOO_FEW}, at least {spec.drift.min_rows} are needed"
        return Check(column.name, None, spec.drift.min_effect, False, text)
    worst = max(told, key=lambda one: one.severity)
    effect = "without bound" if worst.effect is None else f"{worst.effect:.3f}"
    text = f"{column.name}: {worst.text}; effect {effect}, alarm above {worst.threshold:.3f}"
    return Check(column.name, worst.effect, worst.threshold or 0.0, column.alarm, text)
