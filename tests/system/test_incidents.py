"""An incident under the real scheduler: callbacks in task processes, mail on loopback, commands."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.rest import AirflowApi
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.environment import component_environment, tool
from mlops_airflow.stack.stack import running_stack
from tests.quality.discovery import ROOT
from tests.system.conftest import wait_for
from tests.system.test_replay import write_project, write_shop
from tests.unit.notifications.servers import MailServer, Webhook, mail_server, webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlops_airflow.stack.settings import StackSettings

DAG, KEY, ID = "orders.ingest", "2024-03-01", "orders/ingestion/1"


class Shift:
    """A stack, what it tells people, and the commands of the person on call."""

    def __init__(
        self,
        settings: StackSettings,
        api: AirflowApi,
        source: Path,
        mails: MailServer,
        hook: Webhook,
    ) -> None:
        self.settings, self.api, self.source = settings, api, source
        self.mails, self.hook = mails, hook
        self.env = component_environment(settings, load_credentials(settings.secrets_file))
        self.env["COLUMNS"] = "200"

    def mlops(self, *words: str) -> tuple[int, str]:
        command = [tool("mlops"), "incidents", *words]
        where: dict[str, Any] = {"env": self.env, "cwd": self.settings.home}
        done = subprocess.run(command, capture_output=True, text=True, check=False, **where)
        return done.returncode, done.stdout + done.stderr

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self.source)) as connection, connection:
            connection.execute(statement)

    def ingest(self, number: int) -> str:
        """Take the day in, and return how that ended."""
        run = f"on_call_{number}"
        self.api.trigger(DAG, KEY, run_id=run)

        def state() -> str:
            return {one.run_id: one.state for one in self.api.runs(DAG)}[run]

        wait_for(lambda: state() in ("success", "failed"), f"{run} ends", timeout_s=240)
        return state()


@pytest.fixture(scope="module")
def shift(
    tmp_path_factory: pytest.TempPathFactory, new_settings: Callable[..., StackSettings]
) -> Iterator[Shift]:
    folder = tmp_path_factory.mktemp("shop")
    write_project(folder / "dags")
    write_shop(folder / "shop.db")
    with mail_server() as mails, webhook() as hook:
        connections = {
            "shop_source": {"conn_type": "sqlite", "host": str(folder / "shop.db")},
            "ops_mail": mails.connection,
            "ops_slack": hook.connection,
        }
        env = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(c) for name, c in connections.items()}
        env["AIRFLOW__MLOPS__NOTIFY"] = "ops_mail,ops_slack"
        settings = new_settings(folder / "dags", env, plugins_folder=ROOT / "plugins")
        with running_stack(settings) as stack, AirflowApi(stack.airflow_url, *stack.login) as api:
            yield Shift(settings, api, folder / "shop.db", mails, hook)


def test_from_the_mail_in_the_night_to_the_mail_that_it_is_over(shift: Shift) -> None:
    shift.change("ALTER TABLE orders RENAME TO orders_2")
    shift.api.unpause([DAG])
    assert shift.ingest(1) == "failed"
    wait_for(lambda: shift.mails.mails and shift.hook.posts, "people are told", timeout_s=60)
    (mail,) = shift.mails.texts()
    assert mail.startswith("[Incident] orders: data missing: 1 day not ingested\n")
    assert "no such table: orders" in mail
    assert f"then clear the task ingest of run on_call_1 in {DAG}" in mail
    assert f"{shift.settings.airflow_url}/dags/{DAG}/runs/on_call_1/tasks/ingest" in mail
    ((_, post),) = shift.hook.posts
    assert post["incident"]["id"] == ID
    log = _log(shift, "on_call_1")
    assert "incident opened: orders: data missing" in log
    assert "opened to ops_mail: sent" in log
    assert "K3N" not in log

    assert shift.mlops("list")[0] == 1
    assert shift.mlops("ack", ID, "--because", "the table was renamed")[0] == 0
    code, shown = shift.mlops("show", ID)
    assert code == 1
    assert "opened to ops_slack: sent" in shown

    shift.change("ALTER TABLE orders_2 RENAME TO orders")
    assert shift.ingest(2) == "success"
    wait_for(lambda: len(shift.mails.mails) == len(shift.hook.posts) == 2, "they hear of the end")
    last = shift.mails.texts()[1]
    assert last.startswith("[Closed] orders: data missing")
    code, shown = shift.mlops("show", ID)
    assert code == 0
    assert "closed to ops_mail: sent" in shown


def _log(shift: Shift, run: str) -> str:
    folder = shift.settings.airflow_home / "logs"
    files = [path for path in folder.rglob("*.log") if run in str(path) and "ingest" in str(path)]
    assert files, os.listdir(folder)
    return "\n".join(path.read_text("utf-8") for path in files)
