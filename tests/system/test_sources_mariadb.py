"""Extractions from a real MariaDB: what no other database has, and SQLAlchemy's reader."""

from __future__ import annotations

import gc
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import SchemaMismatchError, SourceQueryError, SourceUnavailableError
from mlops_tasks.sources import Request
from mlops_tasks.sources.sqlalchemy import SqlAlchemyReader
from mlops_tasks.steps.ingest import ingest
from tests.system import servers
from tests.system.extraction import DAY, wide_query
from tests.system.shops import MARIADB, Kind, Shop, execute_mariadb

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kind() -> Kind:
    return MARIADB


def test_columns_beyond_the_contract_are_kept_if_they_fit(shop: Shop) -> None:
    query = (
        "SELECT '1' AS order_id, 5 AS a, 1.5e0 AS b, 'x' AS c, 1.5 AS d, x'ff' AS e, time('10:00')"
        " AS f, NULL AS g, cast('{}' AS json) AS h, year(now()) AS i, b'1' + 0 AS j"
        " FROM orders WHERE :partition > ''"
    ).replace("cast('{}' AS json)", "json_object()")
    spec = shop.orders(query, columns={"order_id": "string"})
    result = ingest(spec, DAY, source=shop.database(), lake=shop.lake, token=1)
    assert result.notes[-1].endswith(
        "a (int64), b (double), c (string), h (string), i (int64), j (int64)"
    )
    assert [note.split("'")[1] for note in result.notes[:-1]] == ["d", "e", "f", "g"]


def test_a_date_that_is_none_is_refused(shop: Shop) -> None:
    execute_mariadb(
        shop.server,
        "SET sql_mode = ''",
        "CREATE OR REPLACE TABLE zeros (order_id char(1), due date)",
        "INSERT INTO zeros VALUES ('a', '0000-00-00')",
    )
    columns = {"order_id": "string", "due": "date"}
    spec = shop.orders("SELECT * FROM zeros WHERE :partition > ''", columns=columns)
    text = shop.fails(SchemaMismatchError, spec)
    assert "column 'due': the contract says 'date'" in text
    assert "0000-00-00" in text


def test_a_cancelled_query_is_worth_a_retry(shop: Shop) -> None:
    query = (
        "SET STATEMENT max_statement_time = 0.3 FOR SELECT 'a' AS order_id, sleep(0.1) AS s"
        " FROM seq_1_to_50 WHERE :partition > ''"
    )
    spec = shop.orders(query, columns={"order_id": "string"})
    assert "max_statement_time" in shop.fails(SourceUnavailableError, spec)


# --- the reader for all other databases, on this one


def test_any_other_database_is_read_by_sqlalchemy(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tasks.sources.sqlalchemy._BATCH_ROWS", 1)
    query = "SELECT order_id, shipped_at, due, price, distance FROM orders WHERE due >= :partition"
    columns = {name: kind for name, kind in shop.kind.columns.items() if name != "distance"}
    secrets = (servers.PASSWORD,)

    def reader(query: str, **changes: Any) -> SqlAlchemyReader:
        request = Request.of(shop.orders(query, columns=columns), DAY, secrets=secrets)
        return SqlAlchemyReader(shop.database(**changes).url, request)

    with reader(query).open() as stream:
        batches = list(stream.batches)
    assert stream.described == "mysql by SQLAlchemy"
    assert [batch.num_rows for batch in batches] == [1, 1]
    assert batches[0].to_pylist() == [
        {
            "order_id": "007",
            "shipped_at": datetime(2024, 3, 1, 14, tzinfo=UTC),
            "due": date(2024, 3, 5),
            "price": Decimal("1.10"),
            "distance": None,
        }
    ]
    with (
        pytest.raises(SourceUnavailableError, match="refused"),
        reader(query, port=1).open(),
    ):
        pass
    with (
        pytest.raises(SourceQueryError, match="doesn't exist"),
        reader("SELECT * FROM nowhere WHERE :partition > ''").open(),
    ):
        pass


# pymysql leaves its own end open when SQLAlchemy gives up a connection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_killed_under_sqlalchemy_is_worth_a_retry(tmp_path: Path) -> None:
    query, columns = wide_query("mysql", 300_000)
    with servers.mariadb() as doomed:
        shop = Shop(MARIADB, doomed, tmp_path)
        spec = shop.orders(query, columns=columns)
        request = Request.of(spec, DAY, secrets=(servers.PASSWORD,))

        def read() -> None:
            with SqlAlchemyReader(shop.database().url, request).open() as stream:
                for _ in stream.batches:
                    doomed.kill()

        with pytest.raises(SourceUnavailableError, match="does not answer"):
            read()
    gc.collect()
