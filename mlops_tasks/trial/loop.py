"""The loop over some partitions of the past, in the order in which they would have come."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.personal import without_causes
from mlops_tasks.sources import environment_connection
from mlops_tasks.trial.conclusions import conclude
from mlops_tasks.trial.dags import TrialDags
from mlops_tasks.trial.ingestion import TrialIngestion
from mlops_tasks.trial.journal import Journal
from mlops_tasks.trial.report import TrialReport
from mlops_tasks.trial.span import choose_span
from mlops_tasks.trial.stores import trial_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.sources import Connection
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.specs.calendar import Calendar
    from mlops_tasks.trial.report import TrialStep
    from mlops_tasks.trial.span import Span

__all__ = ["play_round", "try_model"]


def try_model(
    spec: ModelSpec,
    *,
    first: str | None = None,
    last: str | None = None,
    connect: Callable[[str], Connection] = environment_connection,
    keep: Path | None = None,
    watch: Callable[[TrialStep], None] = lambda step: None,
) -> TrialReport:
    """Run the whole loop of a model over some partitions, in a lake that is removed afterwards.

    The real steps run in the order of the model's calendar, and every decision sees what was known
    by then: ingest, validate, train a first champion, and then partition by partition score,
    monitor and decide, and train again where a decision says so. Sources are only read.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    first, last : str, optional
        Partitions of the rows that are used, both inclusive: the beginning is the history of the
        first training, the rest is played. By default the newest ones that suffice for the spec's
        windows and for one window of monitoring.
    connect : callable, optional
        Returns the connection of an id; by default that of the variable ``AIRFLOW_CONN_<ID>``,
        written as JSON.
    keep : Path, optional
        A new folder that lake, ledger and MLflow store are made in, and stay.
    watch : callable, optional
        Called with each step as it ends.

    Returns
    -------
    TrialReport
        Every step with its answer; the trainings with the gate's verdict, the decisions, and what
        monitoring could and could not conclude. Whatever goes wrong in a step is in it, as
        `TrialReport.failure` and `TrialReport.error`; nothing is raised. The same inputs give an
        equal report.
    """
    started, trial = time.perf_counter(), _Trial(spec, Journal(watch))
    error = None
    try:
        trial.run(first, last, connect, keep)
    except Exception as found:
        if spec.has_personal:
            without_causes(found)
        error = found
    return trial.report(error, round(time.perf_counter() - started, 3))


def play_round(dags: TrialDags, calendar: Calendar, key: str) -> None:
    """Let a round happen whose data have arrived: they are scored and monitored; it is decided.

    Parameters
    ----------
    dags : TrialDags
        What the Dags do.
    calendar : Calendar
        What comes due when.
    key : str
        The round.
    """
    for partition in calendar.scored_after(key):
        dags.score(partition)
    for partition in calendar.labelled_after(key):
        dags.monitor(partition)
    decision = dags.decide(calendar.as_of(key))
    if decision.retrain:
        dags.train(decision.as_of, decision.cause)


class _Trial:
    """A trial under way; what it has come to is there when a step fails, too."""

    def __init__(self, spec: ModelSpec, journal: Journal) -> None:
        self.spec, self.journal = spec, journal
        self.span: Span | None = None
        self.dags: TrialDags | None = None

    def run(
        self,
        first: str | None,
        last: str | None,
        connect: Callable[[str], Connection],
        keep: Path | None,
    ) -> None:
        """Plan, take in the history, train, and play one round after another."""
        with self.journal.step("plan", self.spec.name, "") as note:
            self.span = span = choose_span(self.spec, first, last)
            note.text = span.text
        with trial_stores(self.spec.name, keep) as stores:
            ingestion = TrialIngestion(connect, stores.lake, stores.ledger, self.journal)
            self.dags = dags = TrialDags(self.spec, ingestion.published, stores, self.journal)
            calendar = span.calendar
            for steps in calendar.history():
                ingestion.take_all(calendar.datasets, steps)
            for dataset in calendar.datasets:
                ingestion.check_published(dataset)
            dags.train(calendar.cutoff, "first training")
            for key in span.rounds if dags.trainings[0].verdict == "promote" else ():
                ingestion.take_all(
                    calendar.datasets, [*calendar.news(key), *calendar.computed(key)]
                )
                play_round(dags, calendar, key)

    def report(self, error: Exception | None, seconds: float) -> TrialReport:
        """Return what the trial has come to."""
        span, dags, failure = self.span, self.dags, self.journal.failure
        trainings = tuple(dags.trainings) if dags else ()
        report = TrialReport(
            self.spec.name,
            "champion",
            "",
            first=span.first if span else "",
            last=span.last if span else "",
            played_from=span.rounds[0] if span else "",
            steps=tuple(self.journal.steps),
            trainings=trainings,
            decisions=tuple(dags.decisions) if dags else (),
            conclusions=conclude(self.spec, dags.measured) if dags else (),
            failure=failure,
            error=error,
            seconds=seconds,
        )
        if error is not None:
            reason = failure.message if failure else str(error)
            return replace(report, outcome="failed", reason=reason)
        if report.champion is None:
            return replace(report, outcome="refused", reason=trainings[0].reason)
        return replace(report, reason=report.champion.reason)
