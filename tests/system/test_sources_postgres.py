"""Extractions from a real PostgreSQL: what no other database has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import (
    MlopsError,
    SchemaMismatchError,
    SourceAccessError,
    SourceQueryError,
    SourceUnavailableError,
)
from mlops_tasks.sources import open_source
from mlops_tasks.steps.ingest import ingest
from tests.system import servers
from tests.system.extraction import DAY, wide_query
from tests.system.shops import POSTGRES, WRONG_PASSWORD, Kind, Shop, execute_postgres

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kind() -> Kind:
    return POSTGRES


def test_text_of_every_kind_is_text(shop: Shop) -> None:
    query = (
        "SELECT 'a'::char(2) AS order_id, 'good'::mood AS mood, 'n'::name AS name,"
        " '{\"a\": 1}'::jsonb AS json, NULL AS nothing WHERE :partition > ''"
    )
    columns = dict.fromkeys(["order_id", "mood", "name", "json", "nothing"], "string?")
    (row,) = shop.take(shop.orders(query, columns=columns))
    assert list(row.values()) == ["a ", "good", "n", '{"a": 1}', None]


def test_decimals_may_be_whole_or_text(shop: Shop) -> None:
    query = (
        "SELECT '1' AS order_id, 2.00 AS whole, 12345678901234567890.10 AS text WHERE :partition>''"
    )
    columns = {"order_id": "string", "whole": "int64", "text": "string"}
    convert = {"whole": "decimal", "text": "decimal"}
    (row,) = shop.take(shop.orders(query, columns=columns, convert=convert))
    assert row == {"order_id": "1", "whole": 2, "text": "12345678901234567890.10"}
    broken = shop.orders(query.replace("2.00", "2.50"), columns=columns, convert=convert)
    with pytest.raises(SchemaMismatchError, match=r"column 'whole'.*2\.50"):
        ingest(broken, DAY, source=shop.database(), lake=shop.lake, token=2)


def test_a_login_that_may_not_read_the_table_is_not_tried_again(shop: Shop) -> None:
    execute_postgres(shop.server, f"CREATE ROLE reader LOGIN PASSWORD '{WRONG_PASSWORD}'")
    reader = {"username": "reader", "password": WRONG_PASSWORD}
    text = shop.fails(SourceAccessError, shop.orders(), **reader)
    assert "permission denied for table orders" in text


def test_a_cancelled_query_is_worth_a_retry(shop: Shop) -> None:
    role = f"ALTER ROLE {servers.USER}"
    execute_postgres(shop.server, f"{role} SET statement_timeout = '300ms'")
    try:
        query = "SELECT 'a' AS order_id, pg_sleep(5)::text AS note WHERE :partition > ''"
        spec = shop.orders(query, columns={"order_id": "string", "note": "string"})
        assert "statement timeout" in shop.fails(SourceUnavailableError, spec)
    finally:
        execute_postgres(shop.server, f"{role} RESET statement_timeout")


# --- where ADBC is not built: the same by psycopg2 and a server-side cursor


@pytest.fixture
def without_adbc(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg2", reason="install psycopg2-binary")
    monkeypatch.setattr("mlops_tasks.sources.postgres.has_adbc", lambda: False)


def test_without_adbc_the_rows_are_the_same(
    shop: Shop, without_adbc: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    by_cursor = shop.take(shop.orders())
    monkeypatch.undo()
    other = Shop(shop.kind, shop.server, tmp_path / "other")
    assert by_cursor == other.take(other.orders())
    digests = [
        one.lake.table("orders__raw").commits(first=DAY, last=DAY)[0].digest
        for one in (shop, other)
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
    shop: Shop, without_adbc: None, where: str, expected: list[str]
) -> None:
    rows = shop.take(shop.orders(f"SELECT * FROM orders WHERE {where}"))
    assert [row["order_id"] for row in rows] == expected


def test_without_adbc_errors_are_told_apart(shop: Shop, without_adbc: None) -> None:
    text = shop.fails(SourceAccessError, shop.orders(), password=WRONG_PASSWORD)
    assert "password authentication failed" in text
    assert "Connection refused" in shop.fails(SourceUnavailableError, shop.orders(), port=1)
    deleting = "DELETE FROM orders WHERE order_id = :partition RETURNING *"
    shop.fails(SourceQueryError, shop.orders(deleting))
    assert "column 'price'" in shop.fails(SchemaMismatchError, shop.orders(convert={}))
    assert "declare `timezone`" in shop.fails(SchemaMismatchError, shop.orders(timezone=None))


@pytest.mark.parametrize(
    ("value", "declared", "error", "part"),
    [
        ("'infinity'::timestamp", "timestamp", SourceQueryError, "a time is infinity"),
        ("'-infinity'::timestamptz", "timestamp", SourceQueryError, "a time is infinity"),
        ("'infinity'::date", "date", SourceQueryError, "a time is infinity"),
        ("'2024-11-03 01:30'::timestamp", "timestamp", SchemaMismatchError, "ambiguous"),
        ("'a'::bytea", "string", SchemaMismatchError, "memoryview found"),
    ],
)
def test_without_adbc_values_that_are_none_are_refused(
    shop: Shop, without_adbc: None, value: str, declared: str, error: type[MlopsError], part: str
) -> None:
    query = f"SELECT '1' AS order_id, {value} AS x WHERE :partition > ''"
    spec = shop.orders(query, columns={"order_id": "string", "x": declared})
    assert part in shop.fails(error, spec)


def test_without_adbc_the_cursor_is_the_servers(shop: Shop, without_adbc: None) -> None:
    query, columns = wide_query("postgresql", 2_000_000)
    spec = shop.orders(query, columns=columns)
    with open_source(spec, DAY, shop.database()) as stream:
        assert next(iter(stream.batches)).num_rows == 20_000
        assert stream.described == "postgresql by SQLAlchemy"
