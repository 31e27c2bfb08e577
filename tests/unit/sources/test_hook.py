from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.hooks.database import DatabaseHook
from mlops_airflow.hooks.source import SourceHook
from mlops_tasks.exceptions import SourceAccessError
from mlops_tasks.sources import Connection, Database, DeltaStore, FileStore
from mlops_tasks.specs.source import DeltaSource, FileSource, SqlSource

if TYPE_CHECKING:
    from pathlib import Path

SQL = SqlSource(conn_id="shop", query="SELECT :partition")
FILES = FileSource(conn_id="shop", path="{partition}.csv", format="csv")
DELTA = DeltaSource(conn_id="shop", path="orders", time_column="at")
S3 = {
    "conn_type": "aws",
    "login": "key",
    "password": "s3cr3t/x",
    "extra": {
        "path": "s3://landing/shop/",
        "endpoint_url": "http://127.0.0.1:9",
        "region_name": "eu-central-1",
        "aws_session_token": "t0ken",
    },
}


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_it(**fields: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(fields))

    return set_it


@pytest.mark.parametrize(
    ("conn_type", "expected"),
    [
        ("postgres", "postgresql+psycopg2://bob:***@db:5432/shop?sslmode=require"),
        ("mysql", "mysql+pymysql://bob:***@db:5432/shop"),
        ("mssql+pymssql", "mssql+pymssql://bob:***@db:5432/shop"),
    ],
)
def test_a_database_is_an_address_without_the_password_in_sight(
    connection: Any, conn_type: str, expected: str
) -> None:
    connection(
        conn_type=conn_type,
        host="db",
        port=5432,
        login="bob",
        password="p@ss w/rd",
        schema="shop",
        extra={"sslmode": "require", "api_token": "x"},
    )
    found = SourceHook("shop").get_source(SQL)
    assert isinstance(found, Database)
    assert str(found.url) == expected
    assert found.secrets == ("p@ss w/rd",)
    assert "p@ss" not in repr(found)


def test_a_sqlite_file_is_read_only(connection: Any, tmp_path: Path) -> None:
    connection(conn_type="sqlite", host=str(tmp_path / "no.db"))
    found = SourceHook("shop").get_source(SQL)
    assert isinstance(found, Database)
    assert found.secrets == ()
    with pytest.raises(Exception, match="unable to open"):
        DatabaseHook("shop").get_conn().connect()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_files_are_below_a_folder(connection: Any, tmp_path: Path, prefix: str) -> None:
    connection(conn_type="file", extra={"path": f"{prefix}{tmp_path}/"})
    found = SourceHook("shop").get_source(FILES)
    assert isinstance(found, FileStore)
    assert (found.filesystem.type_name, found.root) == ("local", str(tmp_path))


def test_files_may_be_in_a_bucket(connection: Any) -> None:
    connection(**S3)
    found = SourceHook("shop").get_source(FILES)
    assert isinstance(found, FileStore)
    assert (found.filesystem.type_name, found.root) == ("s3", "landing/shop")
    assert found.secrets == ("s3cr3t/x", "t0ken")
    assert "s3cr3t" not in repr(found)


def test_a_delta_table_may_be_in_a_bucket(connection: Any) -> None:
    connection(**S3)
    found = SourceHook("shop").get_source(DELTA)
    assert isinstance(found, DeltaStore)
    assert found.options == {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t/x",
        "AWS_SESSION_TOKEN": "t0ken",
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ALLOW_HTTP": "true",
    }
    assert "s3cr3t" not in repr(found)
    connection(conn_type="file", extra={"path": "/srv/lake"})
    assert SourceHook("shop").get_source(DELTA) == DeltaStore("/srv/lake")


def test_other_stores_go_through_airflow(connection: Any) -> None:
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    memory = MemoryFileSystem()
    attach("memory", conn_id="shop", fs=memory)
    memory.pipe("/landing/2024-03-01.csv", b"a\n1\n")
    connection(conn_type="generic", extra={"path": "memory://landing"})
    found = SourceHook("shop").get_source(FILES)
    assert isinstance(found, FileStore)
    with found.filesystem.open_input_stream(f"{found.root}/2024-03-01.csv") as stream:
        assert stream.read() == b"a\n1\n"


def test_a_connection_without_a_path_is_named(connection: Any) -> None:
    connection(conn_type="file")
    for source in (FILES, DELTA):
        with pytest.raises(SourceAccessError, match="'shop' cannot be used: it has no 'path' in"):
            SourceHook("shop").get_source(source)


@pytest.mark.parametrize("source", [SQL, FILES, DELTA])
def test_a_connection_that_is_not_defined_is_named(source: Any) -> None:
    with pytest.raises(
        SourceAccessError, match=r"connection 'no_shop' cannot be used.*not def"
    ) as e:
        SourceHook("no_shop").get_source(source)
    assert "airflow connections add no_shop" in str(e.value)
    assert "AIRFLOW_CONN_NO_SHOP" in str(e.value)


def test_a_connection_that_is_no_json_is_named_without_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", '{"password": "s3cr3t", ')
    with pytest.raises(SourceAccessError, match="connection 'shop' cannot be used") as error:
        SourceHook("shop").get_source(SQL)
    assert "s3cr3t" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conn_type": "sqlite"}, "it has no host"),
        ({"host": "db"}, "it has no type"),
    ],
)
def test_a_connection_of_no_database_is_named(
    connection: Any, fields: dict[str, str], message: str
) -> None:
    connection(**fields)
    with pytest.raises(SourceAccessError, match=message):
        SourceHook("shop").get_source(SQL)


def test_a_scheme_that_nothing_reads_is_named(connection: Any) -> None:
    connection(conn_type="generic", extra={"path": "nosuch://landing/x"})
    with pytest.raises(SourceAccessError, match="'nosuch://landing/x' has a scheme that nothing"):
        SourceHook("shop").get_source(FILES)


def test_other_stores_need_airflow() -> None:
    with pytest.raises(SourceAccessError, match="'gs://landing' has a scheme that nothing reads"):
        FileStore.from_connection(Connection("shop", extra={"path": "gs://landing"}))
