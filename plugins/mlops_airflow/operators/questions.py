"""Put a question to a person on Airflow's page of required actions, and park."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.execution_time.hitl import upsert_hitl_detail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

__all__ = ["deadline_of", "put_question", "who_answered"]


def put_question(
    context: Context,
    *,
    subject: str,
    body: str,
    options: list[str],
    default: str,
    params: Mapping[str, Any] | None = None,
) -> str:
    """Ask on the page of the task.

    Parameters
    ----------
    context : Context
        Of the running task.
    subject, body : str
        What a person reads, the body as Markdown.
    options : list of str
        What may be answered: up to four are buttons, more are a list to choose from.
    default : str
        What counts as answered where nobody does.
    params : mapping, optional
        Further fields, serialized.

    Returns
    -------
    str
        The id of the task instance, for the trigger.
    """
    ti: Any = context["ti"]
    upsert_hitl_detail(
        ti_id=ti.id,
        options=options,
        subject=subject,
        body=body,
        defaults=[default],
        multiple=False,
        params=dict(params or {}),
    )
    return str(ti.id)


def deadline_of(context: Context, patience: timedelta) -> datetime:
    """Return when the time is over.

    Parameters
    ----------
    context : Context
        Of the running task.
    patience : timedelta
        How long a person has.

    Returns
    -------
    datetime
        Counted from the start of the run, so that a repeated task does not prolong it.
    """
    run: Any = context["dag_run"]
    begun: datetime = run.start_date or run.run_after
    return begun.astimezone(UTC) + patience


def who_answered(event: Mapping[str, Any]) -> str:
    """Return who has answered.

    Parameters
    ----------
    event : mapping
        As Airflow's API, or the trigger, gives it to the task.

    Returns
    -------
    str
        Their name, as the ledger keeps it; empty where nobody has answered.
    """
    user = event.get("responded_by_user")
    return str(user["name"] or user["id"]) if user else ""
