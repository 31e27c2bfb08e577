"""What `mlops status` says about a stack, also while it starts, heals and ends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_airflow.stack.processes import session_processes
from mlops_airflow.stack.record import is_locked, read_record

if TYPE_CHECKING:
    from mlops_airflow.stack.record import ComponentRecord, StackRecord
    from mlops_airflow.stack.settings import StackSettings

__all__ = ["ALL_HEALTHY", "NOTHING_RUNS", "NOT_ALL_HEALTHY", "exit_code", "stack_status"]

#: Exit codes of `mlops status`.
ALL_HEALTHY, NOT_ALL_HEALTHY, NOTHING_RUNS = 0, 1, 4


def stack_status(settings: StackSettings) -> dict[str, Any]:
    """Describe the stack of a home.

    Parameters
    ----------
    settings : StackSettings
        The stack; only its home matters.

    Returns
    -------
    dict
        What ``mlops status --json`` prints. ``state`` is ``down``, ``starting``, ``running`` or
        ``ending``; ``reason`` says why nothing runs, where that is known.
    """
    record = read_record(settings.record_file)
    alive = record is not None and record.is_running()
    known = record if record is not None and alive else None
    components = {
        name: _component(settings, name, component)
        for name, component in (known.components.items() if known else ())
    }
    states = {component["state"] for component in components.values()}
    return {
        "home": str(settings.home),
        "state": _state(settings, known),
        "running": alive,
        "healthy": states == {"healthy"} and known is not None and not known.ending,
        "since": _time(known.started_at) if known else None,
        "reason": None if known else _reason(record),
        # The record knows the ports the stack was really started with.
        "airflow_url": known.airflow_url if known else None,
        "mlflow_url": known.mlflow_url if known else None,
        "profile": known.profile if known else None,
        "components": components,
    }


def exit_code(status: dict[str, Any]) -> int:
    """Give the exit code of ``mlops status``.

    Parameters
    ----------
    status : dict
        As `stack_status` gives it.

    Returns
    -------
    int
        `ALL_HEALTHY`, `NOT_ALL_HEALTHY` or `NOTHING_RUNS`.
    """
    if status["state"] == "down":
        return NOTHING_RUNS
    return ALL_HEALTHY if status["healthy"] else NOT_ALL_HEALTHY


def _state(settings: StackSettings, record: StackRecord | None) -> str:
    if record is None:
        # The databases are prepared before anything is started.
        return "starting" if is_locked(settings) else "down"
    if record.ending or record.failure:
        return "ending"
    states = {component.state for component in record.components.values()}
    return "starting" if not states or states == {"starting"} else "running"


def _reason(record: StackRecord | None) -> str | None:
    if record is None or record.is_of_another_boot():
        return None
    if record.failure is not None:
        return record.failure[1]
    if left := session_processes(record.leaders()):
        n_left = len(left)
        return f"its runner was killed; `mlops down` ends the {n_left} processes it left"
    return None


def _component(settings: StackSettings, name: str, component: ComponentRecord) -> dict[str, Any]:
    return {
        "state": component.state,
        "detail": component.detail,
        "since": _time(component.since),
        "restarts": component.restarts,
        "last_exit": component.last_exit,
        "pid": component.process.pid if component.process else None,
        "log": str(settings.component_log(name)),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
