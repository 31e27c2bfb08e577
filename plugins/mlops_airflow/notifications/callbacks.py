"""What every task of the loop does when it has failed for good, and when it has succeeded."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from mlops_airflow.hooks.database import LedgerHook
from mlops_airflow.notifications.telling import count_incidents, tell
from mlops_airflow.summary import log_summary
from mlops_tasks.exceptions import MlopsError, PartitionKeyError
from mlops_tasks.policy.incidents import Alarm, Cause, IncidentBook
from mlops_tasks.policy.incidents.text import facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

    from mlops_tasks.policy.incidents import Delivery, Incident

__all__ = ["cause_of", "report_failure", "report_success"]

_log = logging.getLogger(__name__)
_LONGEST = 600
# Tasks of one Dag that are about different causes; of others the Dag says it.
_BY_TASK = {
    ("ingest", "validate"): Cause.REFUSED,
    ("refresh", "validate"): Cause.REFUSED,
    ("score", "drift"): Cause.MONITORING,
    ("score", "shadow"): Cause.SHADOW,
    ("monitor", "roll_back"): Cause.RELEASE,
}
_BY_DAG = {
    "ingest": Cause.INGESTION,
    "refresh": Cause.INGESTION,
    "score": Cause.SCORING,
    "monitor": Cause.MONITORING,
    "decide": Cause.DECISION,
    "train": Cause.TRAINING,
    "release": Cause.RELEASE,
    "rollback": Cause.RELEASE,
    "reproduce": Cause.REPRODUCTION,
    "maintenance": Cause.MAINTENANCE,
}
#: Of these a later run takes back what an earlier one has failed at, only for its own partition.
_OF_PARTITIONS = (
    *(Cause.INGESTION, Cause.REFUSED, Cause.SCORING, Cause.MONITORING),
    Cause.SHADOW,
)


def cause_of(dag_id: str, task_id: str) -> Cause | None:
    """Return what an incident of a task is about, or None for Dags that are not of the loop."""
    verb = dag_id.rpartition(".")[2]
    return _BY_TASK.get((verb, task_id)) or _BY_DAG.get(verb)


def _never_raising(report: Callable[[Context], None]) -> Callable[[Context], None]:
    """Say in a line that an incident could not be written down: the clock finds it, too."""

    @wraps(report)
    def reporting(context: Context) -> None:
        try:
            report(context)
        except (MlopsError, AirflowException) as error:
            _log.warning("incidents were not looked at, the next clock does: %s", error)

    return reporting


@_never_raising
def report_failure(context: Context) -> None:
    """Open an incident, or add to the open one: the ``on_failure_callback`` of every task.

    Airflow calls it when no retry is left, in the task's process; where that was killed, in the Dag
    processor's. A run of a key that its data cannot have opens none: nothing of them is missing.

    Parameters
    ----------
    context : Context
        Of the task.
    """
    found = _about(context)
    if found is None:
        return
    subject, cause, task = found
    if cause in _OF_PARTITIONS and (wrong := _never_due(context)):
        _log.warning("no incident is opened, no schedule asks for this run: %s", wrong)
        return
    book = _book(context)
    changed = book.raise_alarm(_alarm(context, subject, cause, task))
    if changed is not None:
        _tell(context, book, changed)


@_never_raising
def report_success(context: Context) -> None:
    """Take back what this task has failed at before: the ``on_success_callback`` of every task.

    Parameters
    ----------
    context : Context
        Of the task.
    """
    found = _about(context)
    if found is None:
        return
    subject, cause, task = found
    key = _partition(context) if cause in _OF_PARTITIONS else ""
    book = _book(context)
    changed = book.recover(subject, cause, key, task)
    if changed is not None:
        _tell(context, book, changed)


def _about(context: Context) -> tuple[str, Cause, str] | None:
    ti: Any = context["ti"]
    cause = cause_of(ti.dag_id, ti.task_id)
    subject = ti.dag_id.rpartition(".")[0]
    return (subject, cause, f"{ti.dag_id}/{ti.task_id}") if subject and cause else None


def _book(context: Context) -> IncidentBook:
    ti: Any = context["ti"]
    conn_id = getattr(ti.task, "ledger_conn_id", LedgerHook.default_conn_name)
    return IncidentBook(LedgerHook(conn_id).get_ledger(), dag_run=f"{ti.dag_id}/{ti.run_id}")


def _alarm(context: Context, subject: str, cause: Cause, task: str) -> Alarm:
    ti: Any = context["ti"]
    spec, url = _spec(context), str(getattr(ti, "log_url", "") or "")
    calendar = getattr(spec, "calendar", None)
    return Alarm(
        subject=subject,
        cause=cause,
        because=_because(context, task),
        fix=(
            f"repair what the error names, then clear the task {ti.task_id} of run {ti.run_id} in "
            f"{ti.dag_id}"
        ),
        owner=str(getattr(ti.task, "owner", "") or "mlops"),
        partitions=(_partition(context),),
        grain=getattr(calendar, "name", "day") if cause in _OF_PARTITIONS else "day",
        links={"log": url} if url else {},
        began_at=_began(context),
        task=task,
    )


def _began(context: Context) -> str:
    """Return when the run began: from then on something was missing, retries included."""
    run: Any = context.get("dag_run")
    moment = getattr(run, "start_date", None) or datetime.now(UTC)
    return str(moment.astimezone(UTC).isoformat(timespec="seconds"))


def _because(context: Context, task: str) -> str:
    """Return the error in the words of ours; of others only its name, for they show values."""
    error: Any = context.get("exception")
    if isinstance(error, MlopsError):
        said = " ".join(str(error).split())
        return f"{type(error).__name__}: {said[:_LONGEST]}{'…' if len(said) > _LONGEST else ''}"
    if isinstance(error, BaseException):
        return f"{task} failed with {type(error).__name__}; its log has the error"
    return f"{task} was killed, or did not answer any more; its log says how far it came"


def _partition(context: Context) -> str:
    """Return the key of the run; of one without it, its day."""
    run: Any = context.get("dag_run")
    key = context.get("partition_key") or getattr(run, "partition_key", None)
    return str(key or f"{getattr(run, 'run_after', datetime.now(UTC)):%Y-%m-%d}")


def _never_due(context: Context) -> str:
    """Say why the key of a run, which a person has mistyped, is none that its data can have."""
    spec = _spec(context)
    check = getattr(getattr(spec, "rows", spec), "check_partition", None)
    try:
        if check is not None:
            check(_partition(context))
    except PartitionKeyError as error:
        return str(error)
    return ""


def _spec(context: Context) -> Any:
    ti: Any = context["ti"]
    return next(
        (found for name in ("dataset", "model") if (found := getattr(ti.task, name, None))), None
    )


def _tell(context: Context, book: IncidentBook, incident: Incident) -> None:
    notify = getattr(_spec(context), "notify", None)
    done = tell([incident], notify, ledger=book.ledger, dag_run=book.dag_run, context=dict(context))
    count_incidents(incident.subject, book.newest(incident.subject).values())
    log_summary(_log, f"incident {incident.change}: {incident.title}", _facts(incident, done))


def _facts(incident: Incident, done: list[Delivery]) -> dict[str, object]:
    shown = {name: value for name, value in facts(incident).items() if name != "links"}
    return shown | {"told": [one.text for one in done]}
