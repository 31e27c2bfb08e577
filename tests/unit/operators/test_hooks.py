from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException

from mlops_airflow.hooks.database import DatabaseHook, LedgerHook
from mlops_airflow.hooks.lake import LakeHook
from mlops_airflow.hooks.mlflow import MlflowHook, airflow_tags
from mlops_airflow.provider import get_provider_info
from mlops_tasks.exceptions import SourceAccessError
from mlops_tasks.registry.tracking import ATTEMPT_TAG
from mlops_tasks.registry.versions import RegisteredVersion
from tests.unit.operators.conftest import TaskInstance

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.conftest import World

    Connect = Callable[..., None]

PLACES = ["plain", "with space", "100%", "%20", "hash#tag", "what?", "öffentlich", "a&b=c"]


def make_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (n)")
        connection.execute("INSERT INTO t VALUES (7)")


# --- the source


@pytest.mark.parametrize("place", PLACES)
def test_a_sqlite_source_is_read_wherever_it_lies(
    tmp_path: Path, connect: Connect, place: str
) -> None:
    (tmp_path / place).mkdir()
    make_table(tmp_path / place / "source.db")
    connect("shop", conn_type="sqlite", host=str(tmp_path / place / "source.db"))
    with DatabaseHook("shop").get_conn().connect() as connection:
        assert connection.scalar(sa.text("SELECT n FROM t")) == 7


def test_a_sqlite_source_is_never_written_or_made(tmp_path: Path, connect: Connect) -> None:
    make_table(tmp_path / "source.db")
    connect("shop", conn_type="sqlite", host=str(tmp_path / "source.db"))
    with (
        DatabaseHook("shop").get_conn().connect() as connection,
        pytest.raises(sa.exc.OperationalError, match="readonly"),
    ):
        connection.execute(sa.text("INSERT INTO t VALUES (1)"))
    connect("shop", conn_type="sqlite", host=str(tmp_path / "gone.db"))
    with pytest.raises(sa.exc.OperationalError, match="unable to open"):
        DatabaseHook("shop").get_conn().connect()
    assert not (tmp_path / "gone.db").exists()


def test_a_sqlite_source_without_a_file_is_an_error_with_the_fix(connect: Connect) -> None:
    connect("shop", conn_type="sqlite")
    with pytest.raises(SourceAccessError, match="'shop' cannot be used: it has no host; set"):
        DatabaseHook("shop").get_url()


@pytest.mark.parametrize("kind", ["postgres", "postgresql"])
def test_a_server_is_reached_with_its_driver_spelled_out(connect: Connect, kind: str) -> None:
    connect(
        "shop",
        conn_type=kind,
        host="db.example",
        port=5433,
        login="reader",
        password="p@ss/w:rd#1",
        schema="sales",
    )
    url = DatabaseHook("shop").get_url()
    assert url.drivername == "postgresql+psycopg2"
    assert (url.host, url.port, url.database, url.username) == (
        "db.example",
        5433,
        "sales",
        "reader",
    )
    assert url.password == "p@ss/w:rd#1"
    assert "w:rd" not in str(url)
    assert "w:rd" not in repr(url)


def test_any_other_dialect_is_taken_by_its_own_name(connect: Connect) -> None:
    connect("shop", conn_type="mysql+pymysql", host="db")
    assert DatabaseHook("shop").get_url().drivername == "mysql+pymysql"


# --- the ledger


@pytest.mark.parametrize("place", PLACES)
def test_a_sqlite_ledger_is_made_wherever_it_shall_lie(
    tmp_path: Path, connect: Connect, place: str
) -> None:
    (tmp_path / place).mkdir()
    connect("ledger_default", conn_type="sqlite", host=str(tmp_path / place / "ledger.db"))
    assert LedgerHook().get_ledger().next_token() == 1
    assert LedgerHook().get_ledger().next_token() == 2
    assert [path.name for path in (tmp_path / place).iterdir()] == ["ledger.db"]


def test_a_ledger_on_a_server_keeps_its_password(connect: Connect) -> None:
    connect("other", conn_type="postgres", host="db", login="u", password="p@ss/w", schema="l")
    url = LedgerHook("other").get_ledger()._database._url
    assert sa.make_url(url).password == "p@ss/w"


# --- the lake


def test_the_lake_is_the_folder_of_its_connection(tmp_path: Path, connect: Connect) -> None:
    connect("lake_default", conn_type="file", extra={"path": str(tmp_path / "lake")})
    assert LakeHook().get_conn().root == tmp_path / "lake"
    connect("lake_other", conn_type="file", extra={"path": str(tmp_path / "other")})
    assert LakeHook("lake_other").get_conn().root == tmp_path / "other"


def test_a_lake_without_a_folder_is_an_error_with_the_fix(connect: Connect) -> None:
    connect("lake_default", conn_type="file")
    with pytest.raises(AirflowException, match="'lake_default' has no 'path' in its extra; set it"):
        LakeHook().get_conn()


# --- MLflow


@pytest.mark.parametrize(
    ("fields", "uri"),
    [
        ({"host": "127.0.0.1", "port": 5000, "schema": "http"}, "http://127.0.0.1:5000"),
        ({"host": "mlflow.example", "schema": "https"}, "https://mlflow.example"),
        ({"host": "mlflow", "port": 5000}, "http://mlflow:5000"),
    ],
)
def test_the_address_of_the_server_comes_from_the_connection(
    connect: Connect, fields: dict[str, Any], uri: str
) -> None:
    connect("mlflow_default", conn_type="mlflow", login="user", password="hunter2", **fields)
    hook = MlflowHook()
    assert hook.get_uri() == uri
    tracking = hook.get_conn({"a": "b"})
    assert (tracking.uri, tracking.tags) == (uri, {"a": "b"})
    assert hook.get_conn().tags == {}
    version = RegisteredVersion("late_orders", "3", "run", "models:/m-1", "digest")
    assert hook.version_url(version) == f"{uri}/#/models/late_orders/versions/3"


def test_a_run_has_a_page(world: World, connect: Connect) -> None:
    connect("mlflow_default", conn_type="mlflow", host="mlflow", port=5000)
    run_id = world.trained.run_id
    experiment = world.tracking.client.get_run(run_id).info.experiment_id
    page = f"http://mlflow:5000/#/experiments/{experiment}/runs/{run_id}"
    assert MlflowHook().run_url(world.tracking, run_id) == page


def test_tags_lead_from_a_run_back_to_its_task() -> None:
    ti = TaskInstance("late_orders.train", "manual__1", "train")
    tags = airflow_tags({"ti": ti, "partition_key": "2024-03-01"})  # type: ignore[typeddict-item]
    assert tags[ATTEMPT_TAG] == "late_orders.train/manual__1/train/-1"
    assert tags["airflow.partition_key"] == "2024-03-01"
    assert tags["airflow.log_url"] in tags["mlflow.note.content"]
    assert all(isinstance(value, str) for value in tags.values())
    later = TaskInstance("late_orders.train", "manual__1", "train")
    later.try_number = 2
    again = airflow_tags({"ti": later})  # type: ignore[typeddict-item]
    assert again[ATTEMPT_TAG] == tags[ATTEMPT_TAG], "attempts of one task share it"
    assert (again["airflow.try_number"], again["airflow.partition_key"]) == ("2", "")


# --- the provider


def test_what_the_provider_names_is_there() -> None:
    from importlib import import_module

    info = get_provider_info()
    hooks = {kind["connection-type"]: kind["hook-class-name"] for kind in info["connection-types"]}
    decorators = {one["name"]: one["class-name"] for one in info["task-decorators"]}
    for name in (*hooks.values(), *info["extra-links"], *decorators.values()):
        module, _, attribute = name.rpartition(".")
        assert getattr(import_module(module), attribute)
    assert hooks[MlflowHook.conn_type].endswith(".MlflowHook")
    assert set(decorators) == {"mlops_ingest", "mlops_train"}
    for kind in ("operators", "sensors", "triggers"):
        (integration,) = info[kind]
        named = {name.rpartition(".")[2] for name in integration["python-modules"]}
        folder = import_module(f"mlops_airflow.{kind}").__path__[0]
        others = {"__init__", "base", "plain_arguments", "questions", "answers"}
        assert named == {file.stem for file in Path(folder).glob("*.py")} - others


def test_nobody_is_sent_figures_and_no_bar_is_drawn(
    connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    for name in silent:
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    connect("mlflow_default", conn_type="mlflow", host="mlflow")
    MlflowHook().get_conn()
    assert {name: os.environ.get(name) for name in silent} == silent


def test_an_mlflow_that_is_away_costs_seconds_and_not_minutes(
    connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MAX_RETRIES", "1"), ("BACKOFF_FACTOR", ""), ("TIMEOUT", "")):
        variable = f"MLFLOW_HTTP_REQUEST_{name}"
        monkeypatch.setenv(variable, value)  # so that it is put back
        if not value:
            monkeypatch.delenv(variable)
    connect("mlflow_default", conn_type="mlflow", host="mlflow")
    MlflowHook().get_conn()
    found = [os.environ[f"MLFLOW_HTTP_REQUEST_{n}"] for n in ("MAX_RETRIES", "TIMEOUT")]
    assert found == ["1", "20"], "what is set counts"
