"""Channels: what a spec names, as the notifier that sends to it."""

from __future__ import annotations

import copy
import importlib
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseNotifier, conf
from airflow.sdk.exceptions import AirflowNotFoundException

from mlops_airflow.notifications.mail import IncidentMailNotifier
from mlops_airflow.notifications.webhook import IncidentWebhookNotifier
from mlops_tasks.exceptions import NotificationError
from mlops_tasks.policy.incidents import headline, message
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_tasks.policy.incidents import Incident

__all__ = ["channels_of", "incident_context", "send"]

_WEBHOOKS = ("http", "https", "slackwebhook")


def channels_of(notify: Sequence[str] | None) -> tuple[str, ...]:
    """Return whom to tell: what a spec says, or ``[mlops] notify`` where it says nothing."""
    if notify is not None:
        return tuple(notify)
    names = conf.get("mlops", "notify", fallback="") or ""
    return tuple(name.strip() for name in names.split(",") if name.strip())


def incident_context(incident: Incident) -> dict[str, Any]:
    """Return an incident as notifiers and their templates see it.

    Parameters
    ----------
    incident : Incident
        The incident.

    Returns
    -------
    dict
        Plain JSON: all that `Incident` has, and ``id``, ``title``, ``impact``, ``headline`` and
        ``message``, the subject and the text of a message.
    """
    words = {
        "id": incident.id,
        "title": incident.title,
        "impact": incident.impact,
        "headline": headline(incident, incident.told),
        "message": message(incident, incident.told),
    }
    return to_json(incident) | words


def send(channel: str, incident: Incident, *, context: Mapping[str, Any] | None = None) -> None:
    """Tell one channel of an incident.

    Parameters
    ----------
    channel : str
        Connection id or import path.
    incident : Incident
        As it is now.
    context : mapping, optional
        Of the task that found it, for the templates of notifiers.

    Raises
    ------
    NotificationError
        If the channel is none. Whatever a notifier raises goes through.
    """
    notifier = _imported(channel) if ":" in channel else _by_connection(channel)
    notifier({**(context or {}), "incident": incident_context(incident)})


def _by_connection(conn_id: str) -> BaseNotifier:
    try:
        kind = BaseHook.get_connection(conn_id).conn_type
    except AirflowNotFoundException:
        raise NotificationError(
            f"there is no connection {conn_id!r} to tell of incidents; define it in Airflow under "
            "Admin, Connections, or take it out of `notify`"
        ) from None
    if kind in ("smtp", "email"):
        return IncidentMailNotifier(conn_id)
    if kind in _WEBHOOKS:
        return IncidentWebhookNotifier(conn_id)
    raise NotificationError(
        f"the connection {conn_id!r} is of type {kind!r}; mails go through one of type smtp, "
        f"webhooks through {', '.join(_WEBHOOKS)}. For others name a notifier of Airflow, as "
        "'package.module:notifier'"
    )


def _imported(path: str) -> BaseNotifier:
    """Return a notifier by its import path: itself, or what makes it. Templates change a copy."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise NotificationError(
            f"notify names {path!r}, which cannot be imported: {type(error).__name__}; it is "
            "'package.module:name', below the Dag folder or installed"
        ) from None
    if not isinstance(found, BaseNotifier) and callable(found):
        found = found()
    if not isinstance(found, BaseNotifier):
        raise NotificationError(
            f"notify names {path!r}, which is a {type(found).__name__} and no Airflow notifier; "
            "name an instance of BaseNotifier, or a function without arguments that makes one"
        )
    return copy.copy(found)
