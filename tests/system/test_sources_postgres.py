"""Extractions from a real PostgreSQL."""

from __future__ import annotations

import traceback
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from mlops_tasks.contract import arrow_schema
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
from mlops_tasks.sources import ColumnPlan, Database, open_source
from tests.system import servers
from tests.system.extraction import DAY, dataset, peak_memory_mb, wide_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_tasks.spec import DatasetSpec

dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="install the extra `postgres`")

SETUP = """
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE TABLE orders (
        order_id varchar PRIMARY KEY, ordered_at timestamptz, shipped_at timestamp, due date,
        items smallint, distance real, price numeric(12, 2), express boolean, note text
    );
    INSERT INTO orders VALUES
        ('007', '2024-03-01 10:00:00.123456+02', '2024-03-01 09:00', '2024-03-05', 1, 0.5, 1.10,
         true, E'ä → ß 😀\n"x"'),
        ('NA', '2024-03-01 23:59:59.999999Z', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        ('8', '2024-03-02 00:00Z', '2024-03-02 09:00', '2024-03-02', 2, 1, 2, false, ''),
        ('9', '2024-02-29 23:59:59Z', '2024-02-29 09:00', '2024-02-29', 2, 1, 2, false, '')
"""
COLUMNS = {
    "order_id": "string",
    "ordered_at": "timestamp",
    "shipped_at": "timestamp?",
    "due": "date?",
    "items": "int64?",
    "distance": "float64?",
    "price": "float64?",
    "express": "bool?",
    "note": "string?",
}
QUERY = "SELECT * FROM orders WHERE ordered_at >= :start AND ordered_at < :end"


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    with servers.postgres() as running:
        execute(running, SETUP)
        yield running


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def execute(server: servers.Server, statements: str) -> None:
    address = f"postgresql://{servers.USER}:{quote(servers.PASSWORD, safe='')}@{server.host}"
    address += f":{server.port}/{server.database}"
    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements.split(";\n"):
            cursor.execute(statement)


def database(server: servers.Server, **changes: Any) -> Database:
    fields = {
        "username": servers.USER,
        "password": servers.PASSWORD,
        "host": server.host,
        "port": server.port,
        "database": server.database,
    }
    return Database(sa.URL.create("postgresql+psycopg2", **(fields | changes)))


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
    utc = orders(tmp_path, columns=COLUMNS, timezone="UTC")
    first, second = take(utc, server, lake)
    assert first == {
        "order_id": "007",
        "ordered_at": datetime(2024, 3, 1, 8, 0, 0, 123456, UTC),
        "shipped_at": datetime(2024, 3, 1, 9, tzinfo=UTC),
        "due": date(2024, 3, 5),
        "items": 1,
        "distance": 0.5,
        "price": 1.1,
        "express": True,
        "note": 'ä → ß 😀\n"x"',
    }
    last = datetime(2024, 3, 1, 23, 59, 59, 999999, UTC)
    assert second == dict.fromkeys(COLUMNS) | {"order_id": "NA", "ordered_at": last}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("ordered_at >= :start AND ordered_at < :end", ["007", "8", "NA"]),
        ("shipped_at >= :start AND shipped_at < :end", ["007"]),
        ("shipped_at >= :local_start AND shipped_at < :local_end", ["007"]),
        ("due > :local_start AND due <= :local_end", ["8"]),
        ("due = :partition", []),
        ("due - 4 = :partition::date -- the day", ["007"]),
        ("ordered_at::date::text = :partition;", ["007", "NA"]),
        ("ordered_at >= :start AND ordered_at < :end AND note LIKE '%\\:%' OR due = :end", ["8"]),
    ],
)
def test_bounds_have_the_type_that_the_query_wants(
    tmp_path: Path, server: servers.Server, lake: Lake, where: str, expected: list[str]
) -> None:
    spec = orders(tmp_path, f"SELECT * FROM orders WHERE {where}")
    if "text = :partition" in where:
        spec = spec.model_copy(update={"timezone": "UTC"})
    if not expected:
        assert "no rows for" in fails(EmptyPartitionError, spec, server, lake)
        return
    assert [row["order_id"] for row in take(spec, server, lake)] == expected


@pytest.mark.parametrize(
    ("column", "kind", "change", "parts"),
    [
        ("price", "float64?", {"convert": {}}, ("numeric", "declare it in `convert`")),
        ("price", "string?", {"convert": {}}, ("numeric", "'string?'")),
        ("shipped_at", "timestamp?", {"timezone": None}, ("declare `timezone`",)),
        ("due", "timestamp?", {}, ("date", "`convert` and `timezone`")),
        ("items", "float64?", {}, ("int2", "'float64?'")),
        ("express", "int64?", {}, ("bool", "'int64?'")),
        ("note", "int64?", {}, ("text", "'int64?'")),
        ("id", "string", {}, ("uuid", "cast it in the query")),
        ("cash", "int64", {}, ("money", "numeric")),
        ("tags", "string", {}, ("_int4",)),
    ],
)
def test_another_type_is_named_before_a_row_is_read(
    tmp_path: Path,
    server: servers.Server,
    lake: Lake,
    column: str,
    kind: str,
    change: Any,
    parts: tuple[str, ...],
) -> None:
    query = (
        "SELECT *, 'good'::mood AS mood, gen_random_uuid() AS id, '1.5'::money AS cash,"
        " array[1] AS tags FROM orders WHERE due > :start OR true"
    ).replace("> :start", "BETWEEN :start AND :end")
    spec = orders(tmp_path, query, columns=COLUMNS | {column: kind}, **change)
    text = fails(SchemaMismatchError, spec, server, lake)
    assert not [part for part in (f"column '{column}'", *parts) if part not in text], text


def test_text_of_every_kind_is_text(tmp_path: Path, server: servers.Server, lake: Lake) -> None:
    query = (
        "SELECT 'a'::char(2) AS order_id, 'good'::mood AS mood, 'n'::name AS name,"
        " '{\"a\": 1}'::jsonb AS json, NULL AS nothing WHERE :partition > ''"
    )
    columns = dict.fromkeys(["order_id", "mood", "name", "json", "nothing"], "string?")
    (row,) = take(orders(tmp_path, query, columns=columns), server, lake)
    assert list(row.values()) == ["a ", "good", "n", '{"a": 1}', None]


def test_decimals_may_be_whole_or_text(tmp_path: Path, server: servers.Server, lake: Lake) -> None:
    query = (
        "SELECT '1' AS order_id, 2.00 AS whole, 12345678901234567890.10 AS text WHERE :partition>''"
    )
    columns = {"order_id": "string", "whole": "int64", "text": "string"}
    convert = {"whole": "decimal", "text": "decimal"}
    (row,) = take(orders(tmp_path, query, columns=columns, convert=convert), server, lake)
    assert row == {"order_id": "1", "whole": 2, "text": "12345678901234567890.10"}
    broken = orders(tmp_path, query.replace("2.00", "2.50"), columns=columns, convert=convert)
    with pytest.raises(SchemaMismatchError, match=r"column 'whole'.*2\.50"):
        ingest(broken, DAY, source=database(server), lake=lake, token=2)


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("'2024-03-10 02:30'::timestamp", "doesn't exist"),
        ("'2024-11-03 01:30'::timestamp", "ambiguous"),
        ("'infinity'::timestamp", "infinity"),
        ("'-infinity'::timestamptz", "infinity"),
    ],
)
def test_times_that_are_none_are_refused(
    tmp_path: Path, server: servers.Server, lake: Lake, value: str, part: str
) -> None:
    query = f"SELECT '1' AS order_id, {value} AS at WHERE :partition > ''"
    columns = {"order_id": "string", "at": "timestamp"}
    spec = orders(tmp_path, query, columns=columns)
    text = fails(SchemaMismatchError, spec, server, lake)
    assert "column 'at'" in text
    assert part in text


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("SELECT * FROM nowhere WHERE :partition > ''", 'relation "nowhere" does not exist'),
        ("SELECT nothing FROM orders WHERE :partition > ''", 'column "nothing" does not exist'),
        ("SELECT 1/0 WHERE :partition > ''", "division by zero"),
        (
            "SELECT 1/(200000 - n) FROM generate_series(1, 300000) n WHERE :partition > ''",
            "by zero",
        ),
        ("DELETE FROM orders WHERE order_id = :partition RETURNING *", "read-only transaction"),
        ("SELECT 1; DROP TABLE orders; SELECT :partition", "multiple commands"),
    ],
)
def test_what_the_server_refuses_is_told(
    tmp_path: Path, server: servers.Server, lake: Lake, query: str, part: str
) -> None:
    columns = {"order_id": "string"}
    if "generate_series" in query:
        query, columns = query.replace("SELECT ", "SELECT n::text AS order_id, "), columns
    text = fails(SourceQueryError, orders(tmp_path, query, columns=columns), server, lake)
    assert part in text
    assert "the source 'shop_source' cannot give 2024-03-01" in text
    assert len(take(orders(tmp_path), server, lake)) == 3


def test_a_missing_column_of_the_contract_is_named(
    tmp_path: Path, server: servers.Server, lake: Lake
) -> None:
    spec = orders(tmp_path, columns=COLUMNS | {"weight": "float64"})
    assert "no column ['weight']" in fails(SchemaMismatchError, spec, server, lake)


def test_a_refused_login_is_not_tried_again(
    tmp_path: Path, server: servers.Server, lake: Lake
) -> None:
    text = fails(SourceAccessError, orders(tmp_path), server, lake, password="wr0ng")
    assert "password authentication failed" in text
    text = fails(SourceAccessError, orders(tmp_path), server, lake, database="nowhere")
    assert 'database "nowhere" does not exist' in text
    execute(server, "CREATE ROLE reader LOGIN PASSWORD 'wr0ng'")
    reader = {"username": "reader", "password": "wr0ng"}
    text = fails(SourceAccessError, orders(tmp_path), server, lake, **reader)
    assert "permission denied for table orders" in text


def test_a_server_that_is_not_there_is_worth_a_retry(
    tmp_path: Path, server: servers.Server, lake: Lake
) -> None:
    text = fails(SourceUnavailableError, orders(tmp_path), server, lake, port=1)
    assert "Connection refused" in text
    text = fails(SourceUnavailableError, orders(tmp_path), server, lake, host="no.such.invalid")
    assert "no.such.invalid" in text


def test_a_cancelled_query_is_worth_a_retry(
    tmp_path: Path, server: servers.Server, lake: Lake
) -> None:
    execute(server, f"ALTER ROLE {servers.USER} SET statement_timeout = '300ms'")
    try:
        query = "SELECT 'a' AS order_id, pg_sleep(5)::text AS note WHERE :partition > ''"
        columns = {"order_id": "string", "note": "string"}
        spec = orders(tmp_path, query, columns=columns)
        assert "statement timeout" in fails(SourceUnavailableError, spec, server, lake)
    finally:
        execute(server, f"ALTER ROLE {servers.USER} RESET statement_timeout")


def test_a_server_killed_in_the_middle_publishes_nothing(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = ColumnPlan.convert
    with servers.postgres() as doomed:

        def killing(plan: ColumnPlan, batch: Any) -> Any:
            doomed.kill()
            return convert(plan, batch)

        monkeypatch.setattr(ColumnPlan, "convert", killing)
        query, columns = wide_query("postgresql", 400_000)
        spec = orders(tmp_path, query, columns=columns)
        text = fails(SourceUnavailableError, spec, doomed, lake)
    assert "does not answer" in text
    assert not list(lake.root.rglob("*.parquet*")), "files of the broken attempt are left"


# --- where ADBC is not built: the same by psycopg2 and a server-side cursor


@pytest.fixture
def without_adbc(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg2", reason="install psycopg2-binary")
    monkeypatch.setattr("mlops_tasks.sources.reading.has_driver", lambda: False)


def test_without_adbc_the_rows_are_the_same(
    tmp_path: Path,
    server: servers.Server,
    lake: Lake,
    without_adbc: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_cursor = take(orders(tmp_path), server, lake)
    monkeypatch.undo()
    other = Lake(tmp_path / "other")
    assert by_cursor == take(orders(tmp_path), server, other)
    digests = [
        table.commits("orders__raw", first=DAY, last=DAY)[0].digest for table in (lake, other)
    ]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("ordered_at >= :start AND ordered_at < :end", ["007", "8", "NA"]),
        ("shipped_at >= :start AND shipped_at < :end", ["007"]),
        ("shipped_at >= :local_start AND shipped_at < :local_end", ["007"]),
        ("due > :local_start AND due <= :local_end", ["8"]),
        ("due - 4 = :partition::date AND note LIKE '%%' -- the day", ["007"]),
    ],
)
def test_without_adbc_bounds_mean_the_same(
    tmp_path: Path,
    server: servers.Server,
    lake: Lake,
    without_adbc: None,
    where: str,
    expected: list[str],
) -> None:
    spec = orders(tmp_path, f"SELECT * FROM orders WHERE {where}")
    assert [row["order_id"] for row in take(spec, server, lake)] == expected


def test_without_adbc_errors_are_told_apart(
    tmp_path: Path, server: servers.Server, lake: Lake, without_adbc: None
) -> None:
    spec = orders(tmp_path)
    text = fails(SourceAccessError, spec, server, lake, password="wr0ng")
    assert "password authentication failed" in text
    assert "Connection refused" in fails(SourceUnavailableError, spec, server, lake, port=1)
    deleting = "DELETE FROM orders WHERE order_id = :partition RETURNING *"
    fails(SourceQueryError, orders(tmp_path, deleting), server, lake)
    undeclared = orders(tmp_path, convert={})
    assert "column 'price'" in fails(SchemaMismatchError, undeclared, server, lake)
    local = orders(tmp_path, timezone=None)
    assert "declare `timezone`" in fails(SchemaMismatchError, local, server, lake)


@pytest.mark.parametrize(
    ("value", "kind", "error", "part"),
    [
        ("'infinity'::timestamp", "timestamp", SourceQueryError, "a time is infinity"),
        ("'-infinity'::timestamptz", "timestamp", SourceQueryError, "a time is infinity"),
        ("'infinity'::date", "date", SourceQueryError, "a time is infinity"),
        ("'2024-11-03 01:30'::timestamp", "timestamp", SchemaMismatchError, "ambiguous"),
        ("'a'::bytea", "string", SchemaMismatchError, "memoryview found"),
    ],
)
def test_without_adbc_values_that_are_none_are_refused(
    tmp_path: Path,
    server: servers.Server,
    lake: Lake,
    without_adbc: None,
    value: str,
    kind: str,
    error: type[MlopsError],
    part: str,
) -> None:
    query = f"SELECT '1' AS order_id, {value} AS x WHERE :partition > ''"
    spec = orders(tmp_path, query, columns={"order_id": "string", "x": kind})
    assert part in fails(error, spec, server, lake)


def test_without_adbc_the_cursor_is_the_servers(
    tmp_path: Path, server: servers.Server, without_adbc: None
) -> None:
    query, columns = wide_query("postgresql", 2_000_000)
    spec = orders(tmp_path, query, columns=columns)
    known = arrow_schema(spec)
    with open_source(spec, DAY, database(server), known) as stream:
        assert next(iter(stream.batches)).num_rows == 20_000
        assert stream.described == "postgresql by SQLAlchemy"


def test_memory_does_not_grow_with_the_partition(
    tmp_path: Path, server: servers.Server, record_property: Any
) -> None:
    peaks = {}
    for n_rows in (200_000, 1_000_000):  # 34 and 170 MB
        query, columns = wide_query("postgresql", n_rows)
        url = database(server).url
        peaks[n_rows] = peak_memory_mb(tmp_path / str(n_rows), url, query, columns, n_rows)
    record_property("peak_mb", peaks)
    assert max(peaks.values()) < 400, peaks
    assert peaks[1_000_000] < peaks[200_000] + 80, peaks
