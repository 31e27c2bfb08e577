"""A mail about an incident, through the connection of Airflow's own SMTP provider."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from mlops_tasks.exceptions import NotificationError

if TYPE_CHECKING:
    from airflow.providers.smtp.hooks.smtp import SmtpHook
    from airflow.sdk import Context

__all__ = ["IncidentMailNotifier"]

_PAGE = '<pre style="white-space: pre-wrap">{}</pre>'


class IncidentMailNotifier(BaseNotifier):
    """Send what changed of an incident by mail.

    Parameters
    ----------
    smtp_conn_id : str, default "smtp_default"
        Connection of type ``smtp``, as for Airflow's own ``SmtpNotifier``: server, login,
        ``from_email``, and in its extra ``to_email``, one address or several with commas.
    to : str, optional
        Addresses, templated; by default those of the connection, else the incident's owner where
        that is an address.

    Notes
    -----
    The id of the mail is made of the incident and the number of its change: mail programs show one
    that arrives twice once, and those about one incident as one conversation.
    """

    template_fields = ("to",)

    def __init__(self, smtp_conn_id: str = "smtp_default", *, to: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.smtp_conn_id, self.to = smtp_conn_id, to

    def notify(self, context: Context) -> None:
        """Send it.

        Raises
        ------
        NotificationError
            If nobody is named who should get it.
        """
        from airflow.providers.smtp.hooks.smtp import SmtpHook

        told: dict[str, Any] = context["incident"]  # type: ignore[typeddict-item]
        with SmtpHook(self.smtp_conn_id) as smtp:
            smtp.send_email_smtp(
                to=self._recipients(smtp, told["owner"]),
                subject=told["headline"],
                html_content=_PAGE.format(html.escape(told["message"])),
                custom_headers=_thread(told),
            )

    def _recipients(self, smtp: SmtpHook, owner: str) -> list[str]:
        extra = smtp.smtp_connection.extra_dejson if smtp.smtp_connection else {}
        named = self.to or extra.get("to_email") or (owner if "@" in owner else "")
        found = [one.strip() for one in named.replace(";", ",").split(",") if one.strip()]
        if not found:
            raise NotificationError(
                f"the connection {self.smtp_conn_id!r} names nobody who should get mails; write "
                '{"to_email": "ops@example.com"} into its extra, or an address as `owner` of the '
                "spec"
            )
        return found


def _thread(told: dict[str, Any]) -> dict[str, str]:
    """Return the headers by which mail programs know what belongs together."""
    name = told["id"].replace("/", ".")
    first, own = f"<{name}.mlops@incidents>", f"<{name}.{told['tell']}.mlops@incidents>"
    return {"Message-ID": own, "References": first, "Auto-Submitted": "auto-generated"}
