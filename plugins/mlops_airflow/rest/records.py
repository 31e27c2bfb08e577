"""What Airflow's REST API returns, as small typed records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = [
    "Dag",
    "DagRun",
    "PendingPartition",
    "TaskInstance",
    "condition_holds",
    "dag_run",
    "first_error",
    "log_lines",
]


@dataclass(frozen=True, slots=True)
class Dag:
    """A Dag that Airflow has parsed."""

    dag_id: str
    is_paused: bool
    has_import_errors: bool
    file: str


@dataclass(frozen=True, slots=True)
class DagRun:
    """One run of a Dag as the API returns it."""

    dag_id: str
    run_id: str
    state: str
    partition_key: str | None
    run_type: str
    queued_at: datetime | None
    start: datetime | None
    end: datetime | None

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end, or None while it has not ended."""
        if self.start is None or self.end is None:
            return None
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """One task of a run."""

    task_id: str
    state: str | None
    try_number: int
    map_index: int


@dataclass(frozen=True, slots=True)
class PendingPartition:
    """A partition of a Dag with at least one asset event and no run.

    Complete, it becomes a run in the scheduler's next loops: it lies between an asset event and
    the run the event causes.
    """

    dag_id: str
    partition_key: str
    is_complete: bool


def condition_holds(expression: dict[str, Any] | None, received: set[str]) -> bool:
    """Return whether the received assets satisfy a Dag's asset condition.

    Parameters
    ----------
    expression : dict or None
        Airflow's JSON form: ``{"all": [...]}``, ``{"any": [...]}`` or ``{"asset": {"uri": ...}}``.
    received : set of str
        URIs of the assets with an event.

    Returns
    -------
    bool
        False also for a condition of another kind, such as an alias.

    Examples
    --------
    >>> a, b = {"asset": {"uri": "x-lake://a"}}, {"asset": {"uri": "x-lake://b"}}
    >>> condition_holds({"all": [a, b]}, {"x-lake://a"})
    False
    >>> condition_holds({"any": [a, b]}, {"x-lake://a"})
    True
    """
    if expression is None:
        return False
    if "all" in expression:
        return all(condition_holds(part, received) for part in expression["all"])
    if "any" in expression:
        return any(condition_holds(part, received) for part in expression["any"])
    return bool(expression.get("asset", {}).get("uri") in received)


def dag_run(row: dict[str, Any]) -> DagRun:
    """Read a run from its JSON form.

    Parameters
    ----------
    row : dict
        One element of ``dag_runs``.

    Returns
    -------
    DagRun
        The record.
    """
    return DagRun(
        dag_id=row["dag_id"],
        run_id=row["dag_run_id"],
        state=row["state"],
        partition_key=row["partition_key"],
        run_type=row["run_type"],
        queued_at=_instant(row["queued_at"]),
        start=_instant(row["start_date"]),
        end=_instant(row["end_date"]),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def log_lines(entry: str | dict[str, Any]) -> list[str]:
    """Write one log entry as lines of text, its traceback after it.

    Parameters
    ----------
    entry : str or dict
        One element of a log's ``content``, structured or not.

    Returns
    -------
    list of str
        Lines without line ends.

    Examples
    --------
    >>> error = {"exc_type": "ValueError", "exc_value": "no rows"}
    >>> log_lines({"event": "Task failed", "error_detail": [error]})
    ['Task failed', 'ValueError: no rows']
    """
    if isinstance(entry, str):
        return entry.splitlines()
    lines = str(entry.get("event", "")).splitlines()
    for error in entry.get("error_detail") or []:
        frames = error.get("frames") or []
        lines += [
            f"  {frame.get('filename')}:{frame.get('lineno')} in {frame.get('name')}"
            for frame in frames
        ]
        lines.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
    return lines


def first_error(entries: list[str | dict[str, Any]]) -> str | None:
    r"""Find what a task failed of: the first error of its log, in one line.

    Parameters
    ----------
    entries : list of str or dict
        A log's ``content``.

    Returns
    -------
    str or None
        None if no entry is an error.

    Examples
    --------
    >>> error = {"exc_type": "EmptyPartitionError", "exc_value": "flights: no rows\nof that day"}
    >>> first_error([{"event": "reading"}, {"event": "Task failed", "error_detail": [error]}])
    'EmptyPartitionError: flights: no rows'
    """
    for entry in entries:
        if isinstance(entry, str):
            continue
        for error in entry.get("error_detail") or []:
            value = str(error.get("exc_value", "")).strip() or "(no text)"
            return f"{error.get('exc_type')}: {value.splitlines()[0]}"
        if entry.get("level") in ("error", "critical"):
            return str(entry.get("event", "")).strip().splitlines()[0]
    return None
