"""Extractions from a real MariaDB, by our reader and by SQLAlchemy's."""

from __future__ import annotations

import gc
import traceback
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import pytest
import sqlalchemy as sa

from mlops_tasks.exceptions import (
    EmptyPartitionError,
    MlopsError,
    SchemaMismatchError,
    SourceAccessError,
    SourceQueryError,
    SourceUnavailableError,
)
from mlops_tasks.ingestion import ingest
from mlops_tasks.lake import Lake
from mlops_tasks.sources import ColumnPlan, Database, Day
from mlops_tasks.sources.failures import Failures
from mlops_tasks.sources.rows import read_rows
from tests.system import servers
from tests.system.extraction import DAY, dataset, peak_memory_mb, wide_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_tasks.spec import DatasetSpec

pymysql = pytest.importorskip("pymysql", reason="install the extra `mysql`")

SETUP = [
    """
    CREATE TABLE orders (
        order_id varchar(20) PRIMARY KEY, ordered_at timestamp(6) NULL, shipped_at datetime(6),
        due date, items smallint unsigned, n bigint unsigned, distance double,
        price decimal(12, 2), express tinyint(1), gift bit(1), note text
    ) CHARACTER SET utf8mb4
    """,
    "SET time_zone = '+00:00'",
    """
    INSERT INTO orders VALUES
        ('007', '2024-03-01 08:00:00.123456', '2024-03-01 09:00', '2024-03-05', 1, 1, 0.1, 1.10, 1,
         b'1', 'ä → ß 😀\\n"x" 100%'),
        ('NA', '2024-03-01 23:59:59.999999', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        ('8', '2024-03-02 00:00', '2024-03-02 09:00', '2024-03-02', 2, 2, 1, 2, 0, b'0', ''),
        ('9', '2024-02-29 23:59:59', '2024-02-29 09:00', '2024-02-29', 2, 2, 1, 2, 0, b'0', '')
    """,
]
COLUMNS = {
    "order_id": "string",
    "ordered_at": "timestamp",
    "shipped_at": "timestamp?",
    "due": "date?",
    "items": "int64?",
    "n": "int64?",
    "distance": "float64?",
    "price": "float64?",
    "express": "bool?",
    "gift": "bool?",
    "note": "string?",
}
QUERY = "SELECT * FROM orders WHERE ordered_at >= :start AND ordered_at < :end"


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    with servers.mariadb() as running:
        execute(running, *SETUP)
        yield running


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def execute(server: servers.Server, *statements: str, user: str = "root") -> None:
    with pymysql.connect(
        unix_socket=str(server.folder / "sock"),
        user=user,
        database=server.database,
        autocommit=True,
        charset="utf8mb4",
    ) as connection:
        for statement in statements:
            connection.cursor().execute(statement)


def database(server: servers.Server, **changes: Any) -> Database:
    fields = {
        "username": servers.USER,
        "password": servers.PASSWORD,
        "host": server.host,
        "port": server.port,
        "database": server.database,
    }
    return Database(sa.URL.create("mysql+pymysql", **(fields | changes)))


def orders(tmp_path: Path, query: str = QUERY, **changes: Any) -> DatasetSpec:
    fields = {"timezone": "America/New_York", "columns": COLUMNS} | changes
    fields.setdefault("convert", {"price": "decimal"} if "price" in fields["columns"] else {})
    return dataset(tmp_path, query, **fields)


def take(spec: DatasetSpec, server: servers.Server, lake: Lake, **changes: Any) -> list[Any]:
    ingest(spec, DAY, source=database(server, **changes), lake=lake, token=1)
    rows = lake.read("orders__raw", first=DAY, last=DAY).sort_by("order_id").to_pylist()
    return list(rows)


def fails(
    error: type[MlopsError], spec: DatasetSpec, server: servers.Server, lake: Lake, **changes: Any
) -> str:
    """Run it; nothing is published, and the password is nowhere in what a person may read."""
    with pytest.raises(error) as raised:
        take(spec, server, lake, **changes)
    assert lake.partitions("orders__raw") == []
    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value.__context__)
    for secret in (servers.PASSWORD, quote(servers.PASSWORD, safe=""), "wr0ng"):
        assert secret not in told
    return str(raised.value)


def test_types_are_kept_and_times_are_instants(
    tmp_path: Path, server: servers.Server, lake: Lake
) -> None:
    first, second = take(orders(tmp_path, timezone="UTC"), server, lake)
    assert first == {
        "order_id": "007",
        "ordered_at": datetime(2024, 3, 1, 8, 0, 0, 123456, UTC),
        "shipped_at": datetime(2024, 3, 1, 9, tzinfo=UTC),
        "due": date(2024, 3, 5),
        "items": 1,
        "n": 1,
        "distance": 0.1,
        "price": 1.1,
        "express": True,
        "gift": True,
        "note": 'ä → ß 😀\n"x" 100%',
    }
    last = datetime(2024, 3, 1, 23, 59, 59, 999999, UTC)
    assert second == dict.fromkeys(COLUMNS) | {"order_id": "NA", "ordered_at": last}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("ordered_at >= :start AND ordered_at < :end", ["007", "8", "NA"]),
        ("shipped_at >= :local_start AND shipped_at < :local_end", ["007"]),
        ("due = :partition + INTERVAL 4 DAY AND note LIKE '%100%' -- the day", ["007"]),
        ("date(ordered_at) = :partition AND '12\\:30' > ''", ["007", "NA"]),
        ("due = :partition", []),
    ],
)
def test_the_day_is_bound(
    tmp_path: Path, server: servers.Server, lake: Lake, where: str, expected: list[str]
) -> None:
    spec = orders(tmp_path, f"SELECT * FROM orders WHERE {where}")
    if not expected:
        assert "no rows for" in fails(EmptyPartitionError, spec, server, lake)
        return
    assert [row["order_id"] for row in take(spec, server, lake)] == expected


def test_columns_beyond_the_contract_are_kept_if_they_fit(
    tmp_path: Path, server: servers.Server, lake: Lake
) -> None:
    query = (
        "SELECT '1' AS order_id, 5 AS a, 1.5e0 AS b, 'x' AS c, 1.5 AS d, x'ff' AS e, time('10:00')"
        " AS f, NULL AS g, cast('{}' AS json) AS h, year(now()) AS i, b'1' + 0 AS j"
        " FROM orders WHERE :partition > ''"
    ).replace("cast('{}' AS json)", "json_object()")
    spec = orders(tmp_path, query, columns={"order_id": "string"})
    result = ingest(spec, DAY, source=database(server), lake=lake, token=1)
    assert result.notes[-1].endswith(
        "a (int64), b (double), c (string), h (string), i (int64), j (int64)"
    )
    assert [note.split("'")[1] for note in result.notes[:-1]] == ["d", "e", "f", "g"]


@pytest.mark.parametrize(
    ("column", "kind", "change", "parts"),
    [
        ("price", "float64?", {"convert": {}}, ("decimal", "declare it in `convert`")),
        ("price", "string?", {"convert": {}}, ("decimal", "'string?'")),
        ("shipped_at", "timestamp?", {"timezone": None}, ("declare `timezone`",)),
        ("due", "timestamp?", {}, ("date", "`convert` and `timezone`")),
        ("items", "float64?", {}, ("int64", "'float64?'")),
        ("note", "int64?", {}, ("string", "'int64?'")),
        ("raw", "string", {}, ("binary", "'string'")),
        ("at", "string", {}, ("time64", "'string'")),
    ],
)
def test_another_type_is_named(
    tmp_path: Path,
    server: servers.Server,
    lake: Lake,
    column: str,
    kind: str,
    change: Any,
    parts: tuple[str, ...],
) -> None:
    query = (
        "SELECT *, x'ff' AS raw, time('10:00') AS at FROM orders"
        " WHERE ordered_at BETWEEN :start AND :end"
    )
    spec = orders(tmp_path, query, columns=COLUMNS | {column: kind}, **change)
    text = fails(SchemaMismatchError, spec, server, lake)
    assert not [part for part in (f"column '{column}'", *parts) if part not in text], text


@pytest.mark.parametrize(
    ("value", "kind", "part"),
    [
        ("18446744073709551615", "int64", "18446744073709551615"),
        ("cast(2 AS signed)", "bool", "bool"),
        ("timestamp('2024-03-10 02:30')", "timestamp", "doesn't exist"),
        ("timestamp('2024-11-03 01:30')", "timestamp", "ambiguous"),
    ],
)
def test_a_value_that_has_no_place_is_refused(
    tmp_path: Path, server: servers.Server, lake: Lake, value: str, kind: str, part: str
) -> None:
    query = f"SELECT '1' AS order_id, {value} AS x FROM orders WHERE :partition > ''"
    spec = orders(tmp_path, query, columns={"order_id": "string", "x": kind})
    text = fails(SchemaMismatchError, spec, server, lake)
    assert "column 'x'" in text
    assert part in text


def test_a_date_that_is_none_is_refused(tmp_path: Path, server: servers.Server, lake: Lake) -> None:
    execute(
        server,
        "SET sql_mode = ''",
        "CREATE OR REPLACE TABLE zeros (order_id char(1), due date)",
        "INSERT INTO zeros VALUES ('a', '0000-00-00')",
    )
    columns = {"order_id": "string", "due": "date"}
    spec = orders(tmp_path, "SELECT * FROM zeros WHERE :partition > ''", columns=columns)
    text = fails(SchemaMismatchError, spec, server, lake)
    assert "column 'due': the contract says 'date'" in text
    assert "0000-00-00" in text


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("SELECT * FROM nowhere WHERE :partition > ''", "nowhere' doesn't exist"),
        ("SELECT nothing FROM orders WHERE :partition > ''", "Unknown column 'nothing'"),
        ("SELEC :partition", "error in your SQL syntax"),
        ("DELETE FROM orders WHERE order_id = :partition", "READ ONLY transaction"),
        ("SELECT 1; DROP TABLE orders; SELECT :partition", "error in your SQL syntax"),
    ],
)
def test_what_the_server_refuses_is_told(
    tmp_path: Path, server: servers.Server, lake: Lake, query: str, part: str
) -> None:
    text = fails(SourceQueryError, orders(tmp_path, query), server, lake)
    assert part in text
    assert "the source 'shop_source' cannot give 2024-03-01" in text
    assert len(take(orders(tmp_path), server, lake)) == 3


def test_a_refused_login_is_not_tried_again(
    tmp_path: Path, server: servers.Server, lake: Lake
) -> None:
    text = fails(SourceAccessError, orders(tmp_path), server, lake, password="wr0ng")
    assert "Access denied for user" in text
    text = fails(SourceAccessError, orders(tmp_path), server, lake, database="nowhere")
    assert "nowhere" in text


def test_a_server_that_is_not_there_is_worth_a_retry(
    tmp_path: Path, server: servers.Server, lake: Lake
) -> None:
    text = fails(SourceUnavailableError, orders(tmp_path), server, lake, port=1)
    assert "Connection refused" in text


def test_a_cancelled_query_is_worth_a_retry(
    tmp_path: Path, server: servers.Server, lake: Lake
) -> None:
    query = (
        "SET STATEMENT max_statement_time = 0.3 FOR SELECT 'a' AS order_id, sleep(0.1) AS s"
        " FROM seq_1_to_50 WHERE :partition > ''"
    )
    spec = orders(tmp_path, query, columns={"order_id": "string"})
    assert "max_statement_time" in fails(SourceUnavailableError, spec, server, lake)


def test_a_server_killed_in_the_middle_publishes_nothing(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = ColumnPlan.convert
    with servers.mariadb() as doomed:

        def killing(plan: ColumnPlan, batch: Any) -> Any:
            doomed.kill()
            return convert(plan, batch)

        monkeypatch.setattr(ColumnPlan, "convert", killing)
        query, columns = wide_query("mysql", 300_000)
        text = fails(SourceUnavailableError, orders(tmp_path, query, columns=columns), doomed, lake)
    assert "does not answer" in text
    assert not list(lake.root.rglob("*.parquet*")), "files of the broken attempt are left"
    gc.collect()  # what was left open would speak up now


def test_memory_does_not_grow_with_the_partition(
    tmp_path: Path, server: servers.Server, record_property: Any
) -> None:
    query, columns = wide_query("mysql", 200_000)
    url = database(server).url
    peak = peak_memory_mb(tmp_path / "measured", url, query, columns, 200_000)
    record_property("peak_mb", peak)
    assert peak < 400


# --- the reader for all other databases, on this one


def test_any_other_database_is_read_by_sqlalchemy(
    tmp_path: Path, server: servers.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tasks.sources.rows._BATCH_ROWS", 1)
    failures = Failures("orders", "shop_source", DAY, COLUMNS, secrets=(servers.PASSWORD,))
    query = "SELECT order_id, shipped_at, due, price, distance FROM orders WHERE due >= :partition"
    types = {"shipped_at": pa.timestamp("us", tz="UTC"), "due": pa.date32(), "price": pa.float64()}
    known = pa.schema({"order_id": pa.string(), **types})
    with read_rows(query, Day(DAY), database(server), failures, known) as stream:
        batches = list(stream.batches)
    assert stream.described == "mysql by SQLAlchemy"
    assert [batch.num_rows for batch in batches] == [1, 1]
    assert batches[0].to_pylist() == [
        {
            "order_id": "007",
            "shipped_at": datetime(2024, 3, 1, 9),
            "due": date(2024, 3, 5),
            "price": Decimal("1.10"),
            "distance": 0.1,
        }
    ]
    with (
        pytest.raises(SourceUnavailableError, match="refused"),
        read_rows(query, Day(DAY), database(server, port=1), failures, known),
    ):
        pass
    with (
        pytest.raises(SourceQueryError, match="doesn't exist"),
        read_rows("SELECT * FROM nowhere", Day(DAY), database(server), failures, known),
    ):
        pass


# pymysql leaves its own end open when SQLAlchemy gives up a connection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_killed_under_sqlalchemy_is_worth_a_retry(tmp_path: Path) -> None:
    query, columns = wide_query("mysql", 300_000)
    failures = Failures("orders", "shop_source", DAY, columns, secrets=(servers.PASSWORD,))
    with servers.mariadb() as doomed:

        def read() -> None:
            with read_rows(query, Day(DAY), database(doomed), failures, pa.schema([])) as stream:
                for _ in stream.batches:
                    doomed.kill()

        with pytest.raises(SourceUnavailableError, match="does not answer"):
            read()
    gc.collect()
