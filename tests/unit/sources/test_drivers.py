"""What readers do without their driver, and with errors that no server of the tests gives."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from mlops_tasks.exceptions import (
    MlopsError,
    SchemaMismatchError,
    SourceAccessError,
    SourceNotFoundError,
    SourceQueryError,
    SourceUnavailableError,
)
from mlops_tasks.partitions import Partition
from mlops_tasks.sources import Database, Request, SourceErrors, delta, files, postgres
from mlops_tasks.sources.mysql import MysqlReader
from mlops_tasks.sources.postgres import AdbcReader, Psycopg2Reader
from mlops_tasks.sources.sqlalchemy import SqlAlchemyReader
from mlops_tasks.steps.ingest import ingest
from tests.unit.orders import Source, day, of_day, orders_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake

ERRORS = SourceErrors("orders", "shop_source", day(0), {"note": "string"})


@pytest.fixture
def explain(tmp_path: Path) -> Callable[[Any, Exception], MlopsError | None]:
    """What a reader, or the module of files, makes of an error."""
    request = Request.of(orders_dataset(tmp_path), day(0))

    def explained(reader: Any, error: Exception) -> MlopsError | None:
        if reader is files:
            return files._explain(error, ERRORS)
        found: MlopsError | None = reader(sa.make_url("any://db/shop"), request).explain(error)
        return found

    return explained


def database_error(text: str, **attributes: str) -> sa.exc.DBAPIError:
    original = Exception(text)
    vars(original).update(attributes)
    return sa.exc.DBAPIError("SELECT 1", None, original)


@pytest.mark.parametrize(
    ("address", "module", "extra"),
    [
        ("mysql://db/shop", "pymysql", "mlops-airflow[mysql]"),
        ("mariadb://db/shop", "pymysql", "mlops-airflow[mysql]"),
    ],
)
def test_a_missing_driver_is_named_with_what_to_install(
    tmp_path: Path,
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    module: str,
    extra: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    spec, database = orders_dataset(tmp_path), Database(sa.make_url(address))
    with pytest.raises(SourceAccessError, match=r"install mlops-airflow\[") as error:
        ingest(spec, day(0), source=database, lake=lake, token=1)
    assert extra in str(error.value)


def test_any_other_missing_driver_is_named(tmp_path: Path, lake: Lake) -> None:
    spec, database = orders_dataset(tmp_path), Database(sa.make_url("mssql+pymssql://db/shop"))
    with pytest.raises(SourceAccessError, match=r"pymssql.*install the driver"):
        ingest(spec, day(0), source=database, lake=lake, token=1)


@pytest.mark.parametrize("installed", [True, False])
def test_adbc_is_not_needed_where_it_is_not_built(
    monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    module = "adbc_driver_postgresql"
    for name in (module, f"{module}.dbapi"):
        monkeypatch.setitem(sys.modules, name, None)
    if installed:
        fake = ModuleType(module)
        fake.dbapi = ModuleType(f"{module}.dbapi")  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module, fake)
    assert postgres.has_adbc() is installed


@pytest.mark.parametrize(
    ("reader", "error", "expected"),
    [
        (AdbcReader, OSError("server closed the connection"), SourceUnavailableError),
        (AdbcReader, OSError("ERROR:  division by zero"), SourceQueryError),
        (MysqlReader, TimeoutError("timed out"), SourceUnavailableError),
        (SqlAlchemyReader, database_error("is locked"), SourceUnavailableError),
        (Psycopg2Reader, database_error("canceled", pgcode="57014"), SourceUnavailableError),
        (Psycopg2Reader, database_error("permission denied", pgcode="42501"), SourceAccessError),
        (SqlAlchemyReader, sa.exc.ArgumentError("no such thing"), SourceQueryError),
        (files, pa.ArrowInvalid("empty path component"), SourceQueryError),
        (files, FileNotFoundError("gone"), SourceNotFoundError),
        (files, PermissionError("closed"), SourceAccessError),
        (files, OSError("AWS Error ACCESS_DENIED during GetObject"), SourceAccessError),
        (files, OSError("AWS Error NO_SUCH_BUCKET"), SourceNotFoundError),
        (files, OSError("AWS Error NETWORK_CONNECTION"), SourceUnavailableError),
    ],
)
def test_errors_are_distinguished(
    explain: Any, reader: Any, error: Exception, expected: type[MlopsError]
) -> None:
    assert type(explain(reader, error)) is expected


READERS = [AdbcReader, MysqlReader, Psycopg2Reader, SqlAlchemyReader, files]


@pytest.mark.parametrize("reader", READERS)
def test_an_error_that_is_not_the_sources_is_left_alone(explain: Any, reader: Any) -> None:
    assert explain(reader, KeyError("ours")) is None


def test_an_error_at_the_login_that_is_not_the_databases_is_left_alone(tmp_path: Path) -> None:
    request = Request.of(orders_dataset(tmp_path), day(0))
    reader = SqlAlchemyReader(sa.make_url("any://db/shop"), request)
    assert reader.explain_login(KeyError("ours")) is None


def test_errors_of_a_delta_table_are_distinguished() -> None:
    assert delta._explain(KeyError("ours"), "", ERRORS) is None
    for error, expected in [
        (OSError("error sending request"), SourceUnavailableError),
        (OSError("error sending request in 2.431640374s"), SourceUnavailableError),
        (OSError("error sending request: HTTP status 403"), SourceAccessError),
        (OSError("AccessDenied"), SourceAccessError),
    ]:
        assert type(delta._explain(error, str(error), ERRORS)) is expected


def test_tls_of_mysql_is_switched_by_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "mysql://bob@db/shop?ssl_verify_cert=true&ssl_ca=ca.pem&init_command=DROP"
    request = Request.of(orders_dataset(tmp_path), day(0))
    given: dict[str, Any] = {}
    monkeypatch.setattr("pymysql.connect", lambda **arguments: given.update(arguments))
    engine = MysqlReader(sa.make_url(url), request).engine()
    engine.pool._creator(None)  # type: ignore[call-arg]
    assert (given["host"], given["user"], given["charset"]) == ("db", "bob", "utf8mb4")
    assert (given["ssl_verify_cert"], given["ssl_ca"]) == (True, "ca.pem")
    assert "init_command" not in given
    assert "password" not in given


def test_text_and_bytes_in_one_column_are_no_text(tmp_path: Path) -> None:
    field = pa.field("note", pa.string())
    request = Request.of(orders_dataset(tmp_path), day(0), pa.schema([field]))
    with pytest.raises(SchemaMismatchError, match=r"column 'note'.*side by side"):
        MysqlReader(sa.make_url("mysql://db/shop"), request)._column(["a", b"a"], field)


@pytest.mark.parametrize(
    ("kind", "start", "local_start"),
    [
        ("timestamptz", "2024-03-01T05:00:00+00:00", "2024-03-01T00:00:00-05:00"),
        ("timestamp", "2024-03-01T00:00:00", "2024-03-01T00:00:00"),
        ("date", "2024-03-01", "2024-03-01"),
        ("text", "2024-03-01T05:00:00+00:00", "2024-03-01T00:00:00"),
    ],
)
def test_a_bound_is_written_as_the_server_wants_it(kind: str, start: str, local_start: str) -> None:
    winter = Partition("2024-03-01", "America/New_York")
    assert postgres._text(winter, "start", kind) == start
    assert postgres._text(winter, "local_start", kind) == local_start


def test_nothing_but_a_day_gets_into_a_query() -> None:
    assert (
        postgres._literal(Partition("2024-03-01"), "partition", "date")
        == "CAST('2024-03-01' AS date)"
    )
    with pytest.raises(ValueError, match="is no bound of a day"):
        postgres._literal(Partition("x' OR '1'='1"), "partition", "text")


def test_a_column_of_several_types_has_none(tmp_path: Path, lake: Lake) -> None:
    source = Source(tmp_path / "source.db")
    source.add(0)
    source.run(
        "ALTER TABLE orders ADD COLUMN mixed DEFAULT 1",
        "UPDATE orders SET mixed = 'x' WHERE items < 5",
    )
    spec = orders_dataset(tmp_path, source=of_day("orders", "order_date", "*"))
    database = Database(sa.make_url(source.url))
    result = ingest(spec, day(0), source=database, lake=lake, token=1)
    assert result.notes[0] == "column 'mixed' (integer and text) is not kept: its type"


def test_what_the_first_rows_do_not_show_is_kept(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of a batch decides nothing: the database is asked for all values' types."""
    monkeypatch.setattr("mlops_tasks.sources.sqlalchemy._BATCH_ROWS", 10)
    source = Source(tmp_path / "source.db")
    source.add(0)
    source.run(
        "ALTER TABLE orders ADD COLUMN late",
        "UPDATE orders SET late = 'x' WHERE rowid > 40",
        "ALTER TABLE orders ADD COLUMN half DEFAULT 1",
        "UPDATE orders SET half = 0.5 WHERE rowid = 70",
        "ALTER TABLE orders ADD COLUMN large DEFAULT 9007199254740993",
        "ALTER TABLE orders ADD COLUMN both DEFAULT 9007199254740993",
        "UPDATE orders SET both = 0.5 WHERE rowid = 70",
    )
    spec = orders_dataset(tmp_path, source=of_day("orders", "order_date", "*"))
    database = Database(sa.make_url(source.url))
    result = ingest(spec, day(0), source=database, lake=lake, token=1)
    assert result.notes[0] == "column 'both' (integer and real) is not kept: its type"
    assert result.notes[1].endswith("late (string), half (double), large (int64)")
    rows = lake.table("orders__raw").read(first=day(0), last=day(0))
    assert rows["late"].null_count == 40
    assert sorted(set(rows["half"].to_pylist())) == [0.5, 1.0]
    assert set(rows["large"].to_pylist()) == {2**53 + 1}
