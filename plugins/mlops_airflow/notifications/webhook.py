"""A webhook about an incident: a POST in the format of Slack, and all its facts beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseNotifier

from mlops_tasks.exceptions import NotificationError, UnavailableError

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["IncidentWebhookNotifier"]

_TIMEOUT_S = 15.0
_LONGEST = 2900  # Slack refuses a longer block


class IncidentWebhookNotifier(BaseNotifier):
    """Post what changed of an incident to a webhook.

    Parameters
    ----------
    http_conn_id : str
        Connection of type ``http``, ``https`` or ``slackwebhook``: scheme, host, port and path of
        the webhook, the secret part of it as the password, which no log shows. Its extra may have
        ``headers``.
    incident_json : bool, default True
        Whether the body has the incident itself, too, as ``incident``: Slack ignores it, others
        route by it.
    """

    template_fields = ()

    def __init__(self, http_conn_id: str, *, incident_json: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.http_conn_id, self.incident_json = http_conn_id, incident_json

    def notify(self, context: Context) -> None:
        """Post it.

        Raises
        ------
        UnavailableError
            If nobody answers.
        NotificationError
            If the answer says no. Neither names the address, which may be a secret.
        """
        import httpx

        told: dict[str, Any] = context["incident"]  # type: ignore[typeddict-item]
        url, headers = _address(self.http_conn_id)
        who = f"the webhook of connection {self.http_conn_id!r}"
        try:
            answer = httpx.post(url, json=self._body(told), headers=headers, timeout=_TIMEOUT_S)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnavailableError(
                f"{who} does not answer: {type(error).__name__}; nothing was told to it"
            ) from None
        if answer.is_error or answer.is_redirect:
            raise NotificationError(
                f"{who} answered {answer.status_code}; compare its path and secret with what the "
                "service says"
            )

    def _body(self, told: dict[str, Any]) -> dict[str, Any]:
        text = told["message"].partition("\n")[2].strip()[:_LONGEST]
        quoted = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        body: dict[str, Any] = {
            "text": told["headline"],  # what a phone shows
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": told["headline"][:150]}},
                {"type": "section", "text": {"type": "mrkdwn", "text": f"```{quoted}```"}},
            ],
        }
        return body | ({"incident": told} if self.incident_json else {})


def _address(conn_id: str) -> tuple[str, dict[str, str]]:
    """Return the address of a webhook, as the connection types of Airflow write it."""
    found = BaseHook.get_connection(conn_id)
    host = (found.host or "").rstrip("/")
    if "://" not in host:
        scheme = found.schema if found.schema in ("http", "https") else None
        host = f"{scheme or ('http' if found.conn_type == 'http' else 'https')}://{host}"
    if found.port:
        scheme, _, rest = host.partition("://")
        name, slash, path = rest.partition("/")
        host = f"{scheme}://{name}:{found.port}{slash}{path}"
    secret = (found.password or "").strip("/")
    headers = dict(found.extra_dejson.get("headers") or {})
    return (f"{host}/{secret}" if secret else host), headers
