"""The wheel in a bare Airflow, as people have it: no repository, no make, no embedded stack.

A fresh environment, Airflow's own database, a project folder somewhere else, an MLflow server with
a login, connections in Airflow's store, its Test buttons, an ingestion by its scheduler, and
`mlops doctor` before and after its advice was taken.
"""

from __future__ import annotations

import json
import shlex
import sqlite3
import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from tests.quality.discovery import ROOT
from tests.system.bare import LOGIN, LOOPBACK, BareAirflow, build_wheel, run
from tests.system.conftest import free_ports
from tests.system.servers import PASSWORD, USER, postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "shop/spec.py": """
from datetime import date
from pathlib import Path

from mlops_tasks.specs import DatasetSpec, SqlSource

ORDERS = DatasetSpec(
    name="orders",
    description="Orders of a shop, as they come in by the day.",
    source=SqlSource(conn_id="shop", query="SELECT * FROM orders WHERE day = :partition"),
    columns={"order_id": "string", "day": "string", "price": "float64"},
    key=("order_id",),
    expectations=Path(__file__).with_name("orders.json"),
    start=date(2024, 3, 1),
)
""",
    "shop/dag.py": """
from mlops_airflow.lifecycle import build_dataset_dags
from shop.spec import ORDERS

build_dataset_dags(ORDERS, namespace=globals())
""",
    "shop/orders.json": """
{"name": "orders", "expectations": [
  {"type": "expect_column_values_to_be_between", "severity": "warning",
   "kwargs": {"column": "price", "min_value": 0}}
]}
""",
}
DAY = "2024-03-05"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a fresh environment of the wheel alone, by what is pinned."""
    folder = tmp_path_factory.mktemp("fresh")
    wheel = build_wheel(folder)
    run(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    # The two behind the wheel are what Airflow itself needs on PostgreSQL.
    packages = (wheel, "psycopg2-binary", "asyncpg")
    run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", *packages)
    return python


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def airflow(
    request: pytest.FixtureRequest, python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BareAirflow]:
    """Prepare an Airflow with a project, connections in its store, and an MLflow with a login."""
    home = tmp_path_factory.mktemp("bare")
    with ExitStack() as stack:
        database = f"sqlite:///{home}/airflow.db"
        if request.param == "postgres":
            server = stack.enter_context(postgres())
            place = f"{server.host}:{server.port}/{server.database}"
            database = f"postgresql+psycopg2://{USER}:{quote(PASSWORD, safe='')}@{place}"
        bare = BareAirflow(python, home, database, *free_ports(2), stack)
        for name, text in FILES.items():
            file = home / "projects" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        fill_source(home / "shop data.db")
        (home / "logins.json").write_text(json.dumps({"admin": "admin"}))
        bare.tool("airflow", "db", "migrate")
        for conn_id, fields in connections(bare).items():
            bare.tool("airflow", "connections", "add", conn_id, "--conn-json", json.dumps(fields))
        yield bare


def fill_source(file: Path) -> None:
    with closing(sqlite3.connect(file)) as shop:
        shop.execute("CREATE TABLE orders (order_id TEXT, day TEXT, price REAL)")
        rows = [(f"A{n}", DAY, 1.5 * n) for n in range(40)]
        shop.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
        shop.commit()


def connections(bare: BareAirflow) -> dict[str, dict[str, Any]]:
    user, password = LOGIN
    return {
        "lake_default": {"conn_type": "file", "extra": {"path": str(bare.home / "data" / "lake")}},
        "ledger_default": {"conn_type": "sqlite", "host": str(bare.home / "our ledger.db")},
        "mlflow_default": {
            "conn_type": "mlflow",
            "host": f"http://{LOOPBACK}:{bare.mlflow_port}",
            "login": user,
            "password": password,
        },
        "shop": {"conn_type": "sqlite", "host": str(bare.home / "shop data.db")},
    }


@pytest.fixture(scope="module")
def before(airflow: BareAirflow) -> tuple[int, dict[str, str]]:
    """Ask the doctor while nothing runs and nothing is set."""
    return airflow.doctor()


@pytest.fixture(scope="module")
def client(airflow: BareAirflow, before: object) -> Iterator[httpx.Client]:
    """Take the doctor's advice, start everything, and log in."""
    airflow.changes |= {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__SCHEDULER__MP_START_METHOD": "forkserver",
        "AIRFLOW__CORE__MP_FORKSERVER_PRELOAD": "mlops_airflow.preload",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GX_ANALYTICS_ENABLED": "false",
    }
    user, password = LOGIN
    secret = {"MLOPS_MLFLOW_USERNAME": user, "MLOPS_MLFLOW_PASSWORD": password}
    place = ("--host", LOOPBACK, "--port", airflow.mlflow_port)
    hosts = ("--allowed-hosts", f"{LOOPBACK}:{airflow.mlflow_port}")
    store = ("--backend-store-uri", f"sqlite:///{airflow.home}/mlflow.db")
    files = ("--artifacts-destination", airflow.home / "artifacts")
    options = (*place, *hosts, *store, *files, "--workers", "1", "--app-name", "mlops")
    airflow.tool("mlflow", "db", "upgrade", f"sqlite:///{airflow.home}/mlflow.db")
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    airflow.start("mlflow", "server", *options, env=secret | quiet)
    for component in ("api-server", "dag-processor"):
        airflow.start("airflow", component)
    airflow.start("airflow", "scheduler", "--skip-serve-logs")
    with httpx.Client(base_url=airflow.url, timeout=120, trust_env=False) as client:
        airflow.wait_for(lambda: answers(client, "/api/v2/version"), "Airflow answers")
        mlflow = f"http://{LOOPBACK}:{airflow.mlflow_port}/health"
        airflow.wait_for(lambda: answers(client, mlflow), "MLflow answers")
        login = client.post("/auth/token", json={"username": "admin", "password": "admin"})
        client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        yield client


def answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def ingested(airflow: BareAirflow, client: httpx.Client) -> dict[str, Any]:
    """Have the scheduler take in one day."""
    dag = "/api/v2/dags/orders.ingest"
    airflow.wait_for(lambda: client.get(dag).status_code == 200, "the project is parsed")
    client.patch(dag, json={"is_paused": False}).raise_for_status()
    made = client.post(f"{dag}/dagRuns", json={"logical_date": None, "partition_key": DAY})
    made.raise_for_status()
    run = f"{dag}/dagRuns/{quote(made.json()['dag_run_id'], safe='')}"
    ended = {"success", "failed"}
    airflow.wait_for(lambda: client.get(run).json()["state"] in ended, "the run ends")
    assert client.get(run).json()["state"] == "success"
    output = client.get(f"{run}/taskInstances/validate/xcomEntries/return_value").json()
    found: dict[str, Any] = output["value"]
    return json.loads(found) if isinstance(found, str) else found


def test_the_doctor_says_what_is_missing(before: tuple[int, dict[str, str]]) -> None:
    code, found = before
    alarms = {check for check, text in found.items() if text.startswith("alarm")}
    assert code == 1
    wanted = {
        "preload",
        "slots",
        "MLflow telemetry",
        "GX telemetry",
        "mlflow",
    }
    assert alarms == wanted
    assert "does not answer" in found["mlflow"]
    for check in ("packages", "provider", "plugin", "plugins folder", "metadata", "pools", "lake"):
        assert found[check].startswith("fine"), found[check]


def test_a_day_is_taken_in(airflow: BareAirflow, ingested: dict[str, Any]) -> None:
    assert (ingested["n_rows_in"], ingested["n_validated"]) == (40, 40)
    assert (airflow.home / "data" / "lake" / "orders" / "_delta_log").is_dir()
    assert (airflow.home / "our ledger.db").exists()
    assert "partition" in airflow.tool("mlops", "lake", "commits", "orders")


def test_the_doctor_is_content_once_its_advice_was_taken(
    airflow: BareAirflow, ingested: dict[str, Any]
) -> None:
    for place in (airflow.home / "data" / "lake", airflow.home / "our ledger.db"):
        place.chmod(0o700 if place.is_dir() else 0o600)
    code, found = airflow.doctor()
    assert {check: text for check, text in found.items() if not text.startswith("fine")} == {}
    assert code == 0
    assert "takes the login of 'ada'" in found["mlflow"]
    assert "2 tables" in found["lake"], "what came, and what was published"


@pytest.mark.parametrize("conn_id", ["lake_default", "ledger_default", "mlflow_default", "shop"])
def test_the_test_button_works(
    airflow: BareAirflow, client: httpx.Client, ingested: dict[str, Any], conn_id: str
) -> None:
    """As the UI asks: the fields of the form, with the password left as it is stored."""
    fields = connections(airflow)[conn_id]
    body = {"connection_id": conn_id, "conn_type": fields["conn_type"]}
    tested = client.post("/api/v2/connections/test", json=body).json()
    assert tested["status"] is True, tested
    assert LOGIN[1] not in tested["message"]


@pytest.mark.parametrize(
    ("conn_id", "changes", "message"),
    [
        ("mlflow_default", {"password": "no"}, "refuses the login of 'ada'"),
        ("lake_default", {"extra": '{"path": "/proc/version"}'}, "it is a file"),
        ("shop", {"host": "/nowhere/shop.db"}, "There is no file /nowhere/shop.db"),
    ],
)
def test_the_test_button_says_what_is_wrong(
    airflow: BareAirflow, client: httpx.Client, conn_id: str, changes: dict[str, str], message: str
) -> None:
    fields = connections(airflow)[conn_id]
    body = {"connection_id": f"{conn_id}_2", **fields} | changes
    body |= {"extra": body["extra"]} if isinstance(body.get("extra"), str) else {"extra": None}
    tested = client.post("/api/v2/connections/test", json=body).json()
    assert tested["status"] is False
    assert message in tested["message"]


def test_the_form_of_a_connection_has_our_fields(client: httpx.Client) -> None:
    kinds = {one["connection_type"]: one for one in client.get("/ui/connections/hook_meta").json()}
    assert {"mlflow", "file", "sqlite", "postgres", "mysql"} <= set(kinds)
    assert list(kinds["file"]["extra_fields"]) == ["path"]
    assert kinds["mlflow"]["standard_fields"]["url_schema"]["title"] == "Scheme"


def test_what_is_logged_shows_no_password(airflow: BareAirflow, ingested: dict[str, Any]) -> None:
    logs = [*airflow.home.glob("*.log"), *(airflow.home / "airflow" / "logs").rglob("*.log")]
    assert logs
    shown = [log for log in logs if LOGIN[1] in log.read_text(errors="replace")]
    assert not shown, shlex.join(map(str, shown))
