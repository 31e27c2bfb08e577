"""Channels against real servers: what arrives, what is written down, what is never shown."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.smtp.notifications.smtp import SmtpNotifier

from mlops_airflow.notifications.channels import channels_of, incident_context, send
from mlops_airflow.notifications.mail import IncidentMailNotifier
from mlops_airflow.notifications.telling import tell
from mlops_tasks.exceptions import NotificationError, UnavailableError
from mlops_tasks.policy.incidents import Alarm, Cause, Incident, IncidentBook, deliveries_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.registry.ledger import Ledger
    from tests.unit.notifications.servers import MailServer, Webhook

    Connect = Callable[..., None]

NOW = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
ALARM = Alarm(
    "flight_delays",
    Cause.SCORING,
    "<2 days> are not scored & wait",
    "start flight_delays.score",
    owner="ops",
    partitions=("2026-11-29", "2026-11-30"),
    n_rows=5805,
    as_of="2026-11-30",
)
HEAD = "[Incident] flight_delays: not scored: 2 days unscored, 5,805 rows"


@pytest.fixture
def book(ledger: Ledger) -> IncidentBook:
    return IncidentBook(ledger, clock=lambda: NOW)


@pytest.fixture
def incident(book: IncidentBook) -> Incident:
    found = book.raise_alarm(ALARM)
    assert found is not None
    return found


def test_a_mail_has_the_whole_message_and_belongs_to_its_thread(
    mails: MailServer, connect: Connect, incident: Incident, book: IncidentBook
) -> None:
    connect("ops_mail", **mails.connection)
    send("ops_mail", incident)
    over = book.close(incident, "scored", by="ann")
    assert over is not None
    send("ops_mail", over)
    first, second = mails.mails
    assert (first["Subject"], first["From"]) == (HEAD, "mlops@example.com")
    assert first["X-To"] == "ops@example.com"
    assert first["Message-ID"] == "<flight_delays.scoring.1.1.mlops@incidents>"
    assert second["Message-ID"] == "<flight_delays.scoring.1.2.mlops@incidents>"
    assert first["References"] == second["References"]
    text, last = mails.texts()
    assert "because    <2 days> are not scored & wait" in text
    assert "fix        start flight_delays.score" in text
    assert last.startswith("[Closed] flight_delays")
    assert "ended      scored" in last


def test_a_mail_goes_to_the_owner_where_the_connection_names_nobody(
    mails: MailServer, connect: Connect, incident: Incident
) -> None:
    extra = {**mails.connection["extra"], "to_email": ""}
    connect("ops_mail", **{**mails.connection, "extra": extra})
    with pytest.raises(NotificationError, match=r"'ops_mail' names nobody .*to_email"):
        send("ops_mail", incident)
    told = incident_context(incident) | {"owner": "ann@example.com"}
    IncidentMailNotifier("ops_mail")({"incident": told})
    assert mails.mails[0]["X-To"] == "ann@example.com"
    IncidentMailNotifier("ops_mail", to="{{ incident.subject }}@x.org, b@x.org")({"incident": told})
    assert mails.mails[1]["X-To"] == "flight_delays@x.org, b@x.org"


def test_a_webhook_gets_what_slack_shows_and_the_incident_itself(
    hook: Webhook, connect: Connect, incident: Incident
) -> None:
    connect("ops_slack", **hook.connection)
    send("ops_slack", incident)
    ((path, body),) = hook.posts
    assert path == "/services/T0/K3N"
    assert body["text"] == HEAD
    header, section = body["blocks"]
    assert header["text"] == {"type": "plain_text", "text": HEAD}
    assert section["text"]["type"] == "mrkdwn"
    assert "&lt;2 days&gt; are not scored &amp; wait" in section["text"]["text"]
    assert body["incident"]["id"] == "flight_delays/scoring/1"


def test_what_refuses_is_said_without_its_secret(
    hook: Webhook, mails: MailServer, connect: Connect, incident: Incident, ledger: Ledger
) -> None:
    connect("ops_slack", **hook.connection)
    connect("ops_mail", **mails.connection)
    hook.status, mails.refuse = 403, True
    done = tell([incident], ("ops_slack", "ops_mail", "nobody"), ledger=ledger)
    assert [one.state for one in done] == ["failed", "failed", "failed"]
    assert done[0].error.startswith("the webhook of connection 'ops_slack' answered 403")
    assert done[1].error == "SMTPDataError: 451"
    assert done[2].error.startswith("there is no connection 'nobody' to tell of incidents")
    whole = str(ledger.entries(history=True))
    assert "K3N" not in whole
    assert "ops@example.com" not in whole
    hook.status, mails.refuse = 200, False
    assert [one.state for one in tell([incident], ("ops_slack", "ops_mail"), ledger=ledger)] == [
        *("sent", "sent")
    ]
    assert tell([incident], ("ops_slack", "ops_mail"), ledger=ledger) == []
    assert len(hook.posts) == 2
    assert len(mails.mails) == 1
    assert [one.attempt for one in deliveries_of(incident, ledger)] == [1, 2, 2]


def test_a_webhook_that_is_away_is_an_outage(connect: Connect, incident: Incident) -> None:
    from tests.unit.notifications.servers import free_port

    connect("ops_slack", conn_type="http", host="http://127.0.0.1", port=free_port(), password="s")
    with pytest.raises(UnavailableError, match="'ops_slack' does not answer: ConnectError"):
        send("ops_slack", incident)


@pytest.mark.parametrize("as_factory", [True, False])
def test_any_notifier_of_airflow_renders_its_templates_anew_each_time(
    as_factory: bool,
    mails: MailServer,
    connect: Connect,
    incident: Incident,
    book: IncidentBook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect("ops_mail", **mails.connection)

    def make() -> SmtpNotifier:
        return SmtpNotifier(
            to="pager@example.com",
            smtp_conn_id="ops_mail",
            subject="{{ incident.title }} is {{ incident.state }}",
            html_content="{{ incident.impact }}",
        )

    module: Any = ModuleType("project_alerts")
    module.pager = make if as_factory else make()
    monkeypatch.setitem(sys.modules, "project_alerts", module)
    send("project_alerts:pager", incident)
    over = book.close(incident, "scored", by="ann")
    assert over is not None
    send("project_alerts:pager", over)
    said = [str(mail["Subject"]) for mail in mails.mails]
    title = "flight_delays: not scored"
    assert said == [f"{title} is open", f"{title} is closed"]


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("no_such_module:pager", "cannot be imported: ModuleNotFoundError"),
        ("json:no_such_name", "cannot be imported: AttributeError"),
        ("json:dumps.__name__", "cannot be imported: AttributeError"),
        ("string:digits", "which is a str and no Airflow notifier"),
        ("ops_ftp", "is of type 'ftp'; mails go through one of type smtp"),
    ],
)
def test_what_is_no_channel_is_named(
    channel: str, said: str, connect: Connect, incident: Incident
) -> None:
    connect("ops_ftp", conn_type="ftp", host="127.0.0.1")
    with pytest.raises(NotificationError, match=said):
        send(channel, incident)


def test_a_spec_says_whom_to_tell_and_else_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert channels_of(None) == ()
    monkeypatch.setenv("AIRFLOW__MLOPS__NOTIFY", "ops_mail, ops_slack,")
    assert channels_of(None) == ("ops_mail", "ops_slack")
    assert channels_of(()) == ()
    assert channels_of(("a:b",)) == ("a:b",)


def test_whoever_is_told_of_nothing_keeps_quiet(hook: Webhook, ledger: Ledger) -> None:
    past = IncidentBook(ledger).raise_alarm(ALARM, live=False)
    assert past is not None
    assert tell([past], ("ops_slack",), ledger=ledger) == []
    assert hook.posts == []
