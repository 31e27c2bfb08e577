"""What all operators of the loop share: their connections, their partition, their summary."""

from __future__ import annotations

from contextlib import nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from mlops_airflow.hooks.database import LedgerHook
from mlops_airflow.hooks.lake import LakeHook
from mlops_airflow.hooks.mlflow import MlflowHook, airflow_tags
from mlops_airflow.summary import log_summary
from mlops_tasks.exceptions import MlopsError, NoChampionError
from mlops_tasks.outages import outages_named
from mlops_tasks.partitions import check_partition, check_past
from mlops_tasks.personal import without_causes
from mlops_tasks.registry.champions import champion_of, registered_version
from mlops_tasks.reports import report_address
from mlops_tasks.scratch import scratch
from mlops_tasks.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from airflow.sdk import Context

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import DatasetSpec, EstimatorSpec, ModelSpec

__all__ = [
    "StepOperator",
    "check_rendered",
    "dag_run_name",
    "decided_as_of",
    "given_known_at",
    "is_scheduled",
    "key_of",
    "partition_of",
    "triggered_by",
]


def partition_of(context: Context, dataset: DatasetSpec, given: str | None = None) -> str:
    """Return the partition key of the run, or fail: one that the dataset can have by now.

    Parameters
    ----------
    context : Context
        Of the running task.
    dataset : DatasetSpec
        The dataset.
    given : str, optional
        The operator's own argument ``partition``, in place of the run's key.

    Returns
    -------
    str
        Its key. A schedule begins a tick early; its first run, for the partition before `start`,
        is skipped.
    """
    key = key_of(context, given)
    _skip_before(context, dataset, dataset.first, key)
    return dataset.check_partition(key)


def decided_as_of(context: Context, model: ModelSpec) -> str:
    """Return the partition key of a run that decides, or fail.

    Parameters
    ----------
    context : Context
        Of the running task.
    model : ModelSpec
        The model.

    Returns
    -------
    str
        The cut-off of the decision, a day of the model's data.
    """
    key = key_of(context)
    _skip_before(context, model.rows, model.rows.start.isoformat(), key)
    return model.check_as_of(key)


def key_of(context: Context, given: str | None = None) -> str:
    """Return the partition key of the run, or one that is given instead; fail without any.

    Parameters
    ----------
    context : Context
        Of the running task.
    given : str, optional
        What an operator's argument ``partition`` is rendered to.

    Returns
    -------
    str
        The key.
    """
    if given is not None:
        return check_rendered("partition", given)
    key = context.get("partition_key")
    if not key:
        raise AirflowFailException(
            "this run has no partition key; trigger the Dag again with one, a day written "
            "YYYY-MM-DD, or as its documentation says, in Partition Key below Advanced Options. In "
            "a Dag without partitions give the operator partition=, as '{{ ds }}'"
        )
    return check_partition(key)


def check_rendered(argument: str, key: object) -> str:
    """Return the partition key that a template gives.

    Parameters
    ----------
    argument : str
        The operator's argument, for errors.
    key : object
        What it is rendered to.

    Returns
    -------
    str
        The key.
    """
    if not isinstance(key, str) or key.strip() in ("", "None"):
        raise AirflowFailException(
            f"{argument}= is rendered to {key!r} in this run and names no partition; a template "
            "like '{{ partition_key }}' is empty in a run without one: trigger the Dag with a "
            "partition key, or write '{{ ds }}'"
        )
    return check_partition(key)


def given_known_at(context: Context, dataset: DatasetSpec) -> str | None:
    """Return the run's parameter ``known_at``, which wins over every other day, if it is set.

    Parameters
    ----------
    context : Context
        Of the running task.
    dataset : DatasetSpec
        The dataset, whose clock counts.

    Returns
    -------
    str or None
        A day, never one in the future: no training would see the rows.
    """
    given = context["params"].get("known_at")
    if not given:
        return None
    return check_past(str(given), dataset.timezone, what=f"dataset {dataset.name!r}: known_at")


def _skip_before(context: Context, dataset: DatasetSpec, first: str, key: str) -> None:
    if is_scheduled(context) and key < first:
        raise AirflowSkipException(f"{dataset.name} begins on {dataset.start}; nothing to do")


def is_scheduled(context: Context) -> bool:
    """Return whether this is the schedule's own run: no backfill, and nobody's by hand."""
    run: Any = context["dag_run"]
    return str(run.run_type).rsplit(".", 1)[-1].lower() == "scheduled"


def dag_run_name(context: Context) -> str:
    """Return ``dag_id/run_id``, as ledger entries name the run that wrote them."""
    ti: Any = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}"


def triggered_by(context: Context) -> str:
    """Return who started the run, as ledger entries say it: a user's name, or ``schedule``."""
    run: Any = context.get("dag_run")
    return getattr(run, "triggering_user_name", None) or "schedule"


def _guarded(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Hold a step to its time limit, in its own temporary folder, and name outages as ours."""

    @wraps(execute)
    def guarded(self: StepOperator, context: Context, *resumed: Any, **event: Any) -> Any:
        try:
            with scratch(), _limited(self, context), outages_named():
                return execute(self, context, *resumed, **event)
        except MlopsError as error:
            about = [getattr(self, name, None) for name in ("dataset", "model", "asked")]
            if any(getattr(one, "has_personal", False) for one in about):
                without_causes(error)
            raise

    return guarded


def _served(report: str) -> str:
    base = conf.get("api", "base_url", fallback="http://localhost:8080/").rstrip("/")
    return f"{base}/mlops/{report_address(report)}"


def _limited(operator: StepOperator, context: Context) -> AbstractContextManager[None]:
    if operator.execution_timeout is None:
        return nullcontext()
    ti: Any = context["ti"]
    name = f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"
    # Started anew by a person, it has new attempts.
    task = f"{name}/{getattr(ti, 'max_tries', 0)}"
    fix = (
        f"Give {ti.dag_id}/{ti.task_id} less to do, or raise its execution_timeout or "
        "[mlops] time_limit_s"
    )
    return time_limit(operator.execution_timeout.total_seconds(), task=task, fix=fix)


class StepOperator(BaseOperator):
    """Base of the loop's operators.

    Parameters
    ----------
    lake_conn_id, ledger_conn_id, mlflow_conn_id : str
        Airflow connections of the lake, the ledger and the MLflow server.
    """

    ui_color = "#e8f0fe"

    #: What a model that is known only when the task runs is asked with, for what errors may show.
    asked: EstimatorSpec | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in {"execute", "execute_complete"} & set(vars(cls)):
            setattr(cls, name, _guarded(getattr(cls, name)))

    def __init__(
        self,
        *,
        lake_conn_id: str = LakeHook.default_conn_name,
        ledger_conn_id: str = LedgerHook.default_conn_name,
        mlflow_conn_id: str = MlflowHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.lake_conn_id = lake_conn_id
        self.ledger_conn_id = ledger_conn_id
        self.mlflow_conn_id = mlflow_conn_id

    @property
    def lake(self) -> Lake:
        """The lake."""
        return LakeHook(self.lake_conn_id).get_conn()

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return LedgerHook(self.ledger_conn_id).get_ledger()

    def next_token(self, partition: str, *tables: str) -> int:
        """Return the number of this attempt, above all that is committed to what it writes."""
        committed = (self.lake.table(table).newest_token(partition) for table in tables)
        return self.ledger.next_token(above=max(committed, default=0))

    def champion(self, model: EstimatorSpec, tracking: Tracking) -> RegisteredVersion | None:
        """Return the model's champion, or None before the first promotion."""
        try:
            return champion_of(model.name, tracking=tracking, ledger=self.ledger)
        except NoChampionError:
            return None

    def version(self, model: EstimatorSpec, version: str) -> RegisteredVersion:
        """Return what the ledger knows of a version."""
        return registered_version(model.name, version, ledger=self.ledger)

    def tracking(self, context: Context) -> Tracking:
        """Return the MLflow client; runs it opens lead back to this task."""
        return MlflowHook(self.mlflow_conn_id).get_conn(airflow_tags(context))

    def announce(self, context: Context, extra: Mapping[str, Any]) -> None:
        """Let the task's events say exactly what was published; `extra` is small plain JSON."""
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = dict(extra)

    def link_report(self, report: str) -> None:
        """Leave the address of a report for `ReportLink`; only the default lake is served."""
        if report and self.lake_conn_id == LakeHook.default_conn_name:
            self.report_url = _served(report)

    def publish_timeline(self, model: ModelSpec) -> str:
        """Write the page of a model anew, leave its address for `TimelineLink`, and return it.

        Where that is not possible the log says why, and the task goes on: a page for people never
        keeps what was measured or decided from being done. The next one who writes it repairs it.
        """
        from mlops_tasks.timeline import publish_timeline

        try:
            page = publish_timeline(model, ledger=self.ledger, lake=self.lake)
        except Exception as error:  # whatever a store or a template raises
            why = error if isinstance(error, MlopsError) else type(error).__name__
            self.log.warning("the timeline of %s was not written: %s", model.name, why)
            self.log.debug("the timeline was not written", exc_info=True)
            return ""
        if self.lake_conn_id == LakeHook.default_conn_name:
            page = self.timeline_url = _served(page)
        return page

    def report(self, title: str, facts: Mapping[str, Any]) -> None:
        """Log the summary block of the task."""
        log_summary(self.log, title, facts)
