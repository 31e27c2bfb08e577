"""One incident from its opening to its end, as an operator sees it: mail, task log, commands.

The whole loop under ``dag.test``, with a real mail server on loopback; the same under the real
scheduler is tests/system/test_incidents.py.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from tests.unit.notifications.servers import MailServer, mail_server
from tests.unit.orders import Source, day, orders_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlops_airflow.testing.dag_runs import FinishedRun

ID = "orders/ingestion/1"


@pytest.fixture
def mails(run_dag: Any, connect: Callable[..., None]) -> Iterator[MailServer]:
    with mail_server() as server:
        connect("ops_mail", **server.connection)
        yield server


@pytest.fixture
def source(run_dag: Any, tmp_path: Path, connect: Callable[..., None]) -> Source:
    connect("shop_source", conn_type="sqlite", host=str(tmp_path / "source.db"))
    return Source(tmp_path / "source.db")


def incidents(*arguments: str) -> tuple[int, str]:
    from mlops_airflow.cli import app

    done = CliRunner().invoke(app, ["incidents", *arguments])
    return done.exit_code, done.output


@pytest.mark.slow
def test_an_operator_is_told_once_finds_what_to_do_and_hears_that_it_is_over(
    run_dag: Callable[..., FinishedRun],
    mails: MailServer,
    source: Source,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlops_airflow.lifecycle import dataset_dags

    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "no-stack"))
    caplog.set_level(logging.INFO, logger="mlops_airflow.notifications.callbacks")
    (ingest,) = dataset_dags(orders_dataset(tmp_path, owner="shop-team", notify=("ops_mail",)))
    for task in ingest.tasks:
        task.retries = 0
    source.add(0)
    source.run("ALTER TABLE orders RENAME TO orders_2")

    # It fails in the night: a mail, once, and the block in the task's log.
    assert run_dag(ingest, day(0)).state == "failed"
    assert run_dag(ingest, day(0)).state == "failed"
    (mail,) = mails.texts()
    subject = "[Incident] orders: data missing: 1 day not ingested"
    assert mails.mails[0]["Subject"] == subject
    assert mail.splitlines()[0] == subject
    for line in (
        f"incident   {ID}",
        "impact     1 day not ingested",
        "days       2024-03-01",
        "owner      shop-team",
        f"Take it up:  mlops incidents ack {ID}",
    ):
        assert line in mail
    assert "because    SourceQueryError: " in mail
    assert "no such table: orders" in mail
    assert "fix        repair what the error names, then clear the task ingest of run " in mail
    assert "links      log http" in mail
    said = [record.getMessage() for record in caplog.records]
    assert "── incident opened: orders: data missing" in said
    assert any(line.startswith("   told      opened to ops_mail: sent 20") for line in said)

    # The operator looks, and takes it up.
    code, shown = incidents("show", "orders/ingestion")
    assert code == 1
    assert "told      opened to ops_mail: sent" in shown
    assert incidents("ack", ID, "--because", "the table was renamed")[0] == 0
    assert "taken up" in incidents("list")[1]

    # The cause is repaired, the run repeated: one mail says so, and how long it took.
    source.run("ALTER TABLE orders_2 RENAME TO orders")
    run = run_dag(ingest, day(0))
    assert run.state == "success", run.tasks
    _, last = mails.texts()
    assert last.startswith("[Closed] orders: data missing: 1 day not ingested\n")
    assert "ended      orders.ingest/ingest succeeded for 2024-03-01, the last one" in last
    assert "taken up after" in last
    assert "recovered after" in last
    code, shown = incidents("show", ID)
    assert code == 0
    for change in ("opened", "acknowledged", "closed"):
        assert f" UTC {change}: 1 day not ingested" in shown
    assert incidents("list")[0] == 0
