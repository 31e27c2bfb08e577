"""Monitor one day: drift and an estimate when it is scored, performance once it has labels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.links import ReportLink, TimelineLink
from mlops_airflow.metrics import gauge_measurement
from mlops_airflow.operators.base import StepOperator, dag_run_name, partition_of, triggered_by
from mlops_tasks.exceptions import NeverScoredError
from mlops_tasks.monitoring import (
    MonitorResult,
    as_evidence,
    estimate_of,
    estimate_outcomes,
    read_labelled_predictions,
)
from mlops_tasks.monitoring.estimation import BLIND
from mlops_tasks.policy import decision_rows, later_windows
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.monitor import (
    estimate_performance,
    judge_estimate,
    measure_drift,
    measure_labels,
    measure_performance,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow.sdk import BaseOperatorLink, Context

    from mlops_tasks.monitoring import Check, LabelledPredictions
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = [
    "EstimatePerformanceOperator",
    "MeasureDriftOperator",
    "MeasurePerformanceOperator",
]


class _MonitorOperator(StepOperator):
    """Record a monitor's checks in the ledger, as evidence for the nightly decision."""

    operator_extra_links: tuple[BaseOperatorLink, ...] = (ReportLink(),)

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def _record(
        self, context: Context, kind: EvidenceKind, result: MonitorResult, *datasets: DatasetSpec
    ) -> dict[str, Any]:
        """Append the checks with the day as of which their data were known, and what they correct.

        Finding the same again adds nothing.
        """
        ledger, about = self.ledger, {"kind": kind, "key": result.last}
        before = ledger.newest(self.model.name, **about)
        found = as_evidence(self.model, result, datasets, lake=self.lake, before=before)
        if before is not None and found is None:
            return before.evidence
        gauge_measurement(self.model.name, str(kind), result)
        about |= {"model": self.model.name, "dag_run": dag_run_name(context)}
        return ledger.record(**about, evidence=to_json(found), by=triggered_by(context)).evidence

    def _report(
        self,
        what: str,
        result: MonitorResult,
        *,
        more: Iterable[Check] = (),
        outlook: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Log the summary, with further checks on the same window, and what follows from it."""
        self.link_report(result.report)
        checks = (*result.checks, *more)
        marks = [f"{_MARKS[check.answer]:<5}  {check.text}{_interval(check)}" for check in checks]
        facts = {
            "answer": _ANSWERS[result.answer],
            "window": f"{result.first} to {result.last}, {result.n_rows} rows",
            "gaps": result.gaps or None,
            "model": f"version {result.model_version}",
            "labels": None if result.coverage is None else f"{result.coverage:.1%} of the last day",
            "checks": marks,
            "report": getattr(self, "report_url", result.report),
            "next": f"{self.model.name}.decide weighs this with all other evidence",
            **outlook,
        }
        self.report(f"{what} of {self.model.name} {result.last}", facts)


def _interval(check: Check) -> str:
    if check.lower is None or check.upper is None:
        return ""
    return f"; interval {check.lower:.4f} to {check.upper:.4f}"


_MARKS = {"alarm": "ALARM", "fine": "ok", "cannot_tell": "cannot tell"}
_ANSWERS = {"alarm": "ALARM", "fine": "fine", "cannot_tell": "CANNOT TELL"}


class _ScoredOperator(_MonitorOperator):
    """Look at the window that ends with a partition as soon as it is scored."""

    template_fields = ("scored",)

    def __init__(self, *, model: ModelSpec, scored: Any, **kwargs: Any) -> None:
        super().__init__(model=model, **kwargs)
        self.scored = scored


class MeasureDriftOperator(_ScoredOperator):
    """Compare the trailing window of inputs and predictions with the scoring model's own data.

    Parameters
    ----------
    model : ModelSpec
        The model.
    scored : dict
        Output of `ScorePartitionOperator`; it names the version to compare with.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Measure drift and record it."""
        day, tracking = partition_of(context, self.model.rows), self.tracking(context)
        version = self.version(self.model, self.scored["model_version"])
        result = measure_drift(self.model, day, version, lake=self.lake, tracking=tracking)
        self._report("drift", result)
        inputs = (item.dataset for item in self.model.inputs)
        return self._record(context, EvidenceKind.DRIFT, result, *inputs)


class EstimatePerformanceOperator(_ScoredOperator):
    """Estimate what the predictions of the trailing window are worth, before there are labels.

    Parameters
    ----------
    model : ModelSpec
        The model.
    scored : dict
        Output of `ScorePartitionOperator`; it names the version that is estimated.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Estimate the gate's metric and record it."""
        day, tracking = partition_of(context, self.model.rows), self.tracking(context)
        version = self.version(self.model, self.scored["model_version"])
        outcomes = estimate_outcomes(self.model, day, version.version, ledger=self.ledger)
        result = estimate_performance(
            self.model, day, version, lake=self.lake, tracking=tracking, outcomes=outcomes
        )
        self._report("estimated performance", result, outlook={"note": BLIND})
        inputs = (item.dataset for item in self.model.inputs)
        return self._record(context, EvidenceKind.ESTIMATE, result, *inputs)


class MeasurePerformanceOperator(_MonitorOperator):
    """Measure what the predictions of the trailing window were worth, now that labels are there.

    The labels themselves are compared with those of the training, which distinguishes a
    world that moved from a model that fails. Newer windows that hold the day and were measured
    before, as its labels are late or corrected, are measured again. Skipped for a day that was
    never scored. Writes the timeline of the model anew, as far as that can be done.

    Parameters
    ----------
    model : ModelSpec
        The model.
    """

    operator_extra_links = (ReportLink(), TimelineLink())

    def execute(self, context: Context) -> dict[str, Any]:
        """Measure performance and labels, and record both."""
        day = partition_of(context, self.model.rows)
        before = self.ledger.newest(self.model.name, EvidenceKind.PERFORMANCE, key=day)
        result, labels, evidence = self._measure(context, day)
        is_news = before is None or before.evidence != evidence
        again = self._measure_newer(context, day) if is_news else []
        outlook, shown = self._outlook(day, again), replace(result, report=labels.report)
        self._report("performance", shown, more=labels.checks, outlook=outlook)
        return evidence

    def _measure_newer(self, context: Context, day: str) -> list[str]:
        """Measure newer windows again that hold a day of which the labels are news."""
        newer = later_windows(self.model, day, ledger=self.ledger)
        for one in newer:
            self._measure(context, one)
        return newer

    def _estimated(self, context: Context, predictions: LabelledPredictions) -> tuple[Check, ...]:
        """Record whether the estimate that was made before the labels came has held."""
        about = self.model, predictions.last, predictions.version
        estimate = estimate_of(*about, ledger=self.ledger)
        found = None if estimate is None else judge_estimate(predictions, estimate)
        if found is None:
            return ()
        self._record(context, EvidenceKind.ESTIMATE_OUTCOME, found, self.model.label.dataset)
        return found.checks

    def _outlook(self, measured: str, again: Sequence[str]) -> dict[str, str]:
        """Return what was decided last, what is due next, and where all of it is on one page."""
        from mlops_tasks.timeline import next_check  # pages are nothing to parse a Dag with

        decisions = decision_rows(self.model.name, 1, ledger=self.ledger)
        newest = self.ledger.newest(self.model.name, EvidenceKind.PERFORMANCE)
        due = next_check(
            self.model,
            decided=decisions[-1].as_of if decisions else None,
            measured=newest.key if newest else measured,
        )
        said = [f"{one.words} as of {one.as_of}, because {one.reason}" for one in decisions]
        return ({"measured again": ", ".join(again)} if again else {}) | {
            "decision": said[-1] if said else "none yet",
            "next check": due.text,
            "timeline": self.publish_timeline(self.model),
        }

    def _measure(
        self, context: Context, day: str
    ) -> tuple[MonitorResult, MonitorResult, dict[str, Any]]:
        """Return what was found of performance and labels, and the former as it is recorded."""
        version, tracking = partial(self.version, self.model), self.tracking(context)
        try:
            predictions = read_labelled_predictions(
                self.model, day, lake=self.lake, version=version
            )
        except NeverScoredError as error:  # late labels also come for days before the champion
            raise AirflowSkipException(str(error)) from error
        champion = version(predictions.version)
        result = measure_performance(predictions, champion)
        labels = measure_labels(predictions, result, champion, lake=self.lake, tracking=tracking)
        label = self.model.label.dataset
        self._record(context, EvidenceKind.LABELS, labels, label)
        held = self._estimated(context, predictions)
        labels = replace(labels, checks=(*labels.checks, *held))
        return result, labels, self._record(context, EvidenceKind.PERFORMANCE, result, label)
