from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from mlops_tasks.policy.incidents import Alarm, Cause, IncidentBook
from tests.unit.notifications.servers import webhook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.registry.ledger import Ledger

ALARM = Alarm(
    "flight_delays",
    Cause.SCORING,
    "2 days are not scored",
    "start flight_delays.score",
    owner="ops",
    partitions=("2026-11-29", "2026-11-30"),
    n_rows=5805,
)
ID = "flight_delays/scoring/1"


@pytest.fixture
def book(
    ledger: Ledger,
    tmp_path: Path,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> IncidentBook:
    (tmp_path / "dags").mkdir()
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "no-stack"))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    connect("ledger_default", conn_type="sqlite", host=f"{tmp_path}/ledger.db")
    return IncidentBook(ledger)


def mlops(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["incidents", *arguments])
    return done.exit_code, " ".join(done.output.split())


def plain(*arguments: str) -> tuple[int, Any]:
    done = CliRunner().invoke(app, ["incidents", *arguments, "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_an_incident_from_the_list_to_its_end(book: IncidentBook) -> None:
    assert mlops("list") == (0, "No incident is open.")
    book.raise_alarm(ALARM)
    code, said = mlops("list", "flight_delays")
    assert code == 1
    assert f"{ID} open 20" in said
    assert said.endswith(
        "ops 2 days unscored, 5,805 rows Median time to detect not known, to acknowledge not "
        "known, to recover not known; 1 incident."
    )
    me = getpass.getuser()
    assert mlops("ack", ID, "--because", "on it") == (0, f"{ID} is taken up by {me}.")
    assert "taken up" in mlops("list")[1]
    code, said = mlops("silence", "flight_delays/scoring", "--for", "2d")
    assert code == 0
    assert said.startswith(f"{ID} is silent until 20")
    assert f"{ID} silenced" in mlops("list")[1]
    code, said = mlops("show", ID)
    assert code == 1
    for part in ("note on it", "fix start flight_delays.score", "told nobody yet", "UTC silenced:"):
        assert part in said
    assert mlops("close", ID, "--because", "scored by hand") == (0, f"{ID} is closed.")
    code, said = mlops("show", ID)
    assert code == 0
    assert "ended scored by hand" in said
    assert f"by {me}" in said
    assert mlops("list")[0] == 0
    assert "closed" in mlops("list", "--all")[1]
    code, said = mlops("close", ID, "--because", "again")
    assert (code, said) == (3, f"mlops: {ID} has ended already: scored by hand")
    assert mlops("ack", ID)[0] == 3


def test_the_same_for_a_program(book: IncidentBook) -> None:
    book.raise_alarm(ALARM)
    code, found = plain("list")
    assert code == 1
    (incident,) = found["incidents"]
    assert incident["id"] == ID
    assert incident["impact"] == "2 days unscored, 5,805 rows"
    assert incident["times_s"] == {"detect": None, "acknowledge": None, "recover": None}
    assert found["medians_s"]["recover"] is None
    code, found = plain("ack", ID)
    assert (code, found["acknowledged_by"]) == (0, getpass.getuser())
    code, found = plain("show", ID)
    assert (code, [one["change"] for one in found["changes"]]) == (1, ["opened", "acknowledged"])
    code, found = plain("close", ID, "--because", "done")
    assert (code, found["state"], found["ended"]) == (0, "closed", "done")
    assert found["times_s"]["recover"] >= 0


def test_a_channel_is_tried_without_an_incident(
    book: IncidentBook, connect: Callable[..., None]
) -> None:
    with webhook() as hook:
        connect("ops_slack", **hook.connection)
        assert mlops("test", "ops_slack") == (0, "A made-up incident was sent to ops_slack.")
        ((_, body),) = hook.posts
        assert body["text"] == "[Incident] nothing_at_all: not scored: 1 day unscored"
        hook.status = 404
        code, said = mlops("test", "ops_slack")
        assert code == 1
        assert "the webhook of connection 'ops_slack' answered 404" in said
        assert "K3N" not in said
    assert book.all() == []


def test_wrong_names_and_options_are_refused(book: IncidentBook) -> None:
    code, said = mlops("show", "nothing/at/all")
    assert code == 3
    assert "there is no incident 'nothing/at/all'; open are none" in said
    assert mlops("silence", ID, "--for", "soon")[0] == 2
    assert mlops("close", ID, "--because", " ")[0] == 2
