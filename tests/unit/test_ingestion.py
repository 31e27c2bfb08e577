from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from mlops_tasks.contract import arrow_schema
from mlops_tasks.exceptions import (
    EmptyPartitionError,
    MlopsError,
    SchemaMismatchError,
    SourceQueryError,
    SourceUnavailableError,
    StaleAttemptError,
    TransientError,
)
from mlops_tasks.ingestion import ingest, raw_table
from tests.unit.orders import (
    ROWS_PER_DAY,
    Source,
    day,
    deliveries_dataset,
    orders_dataset,
    rows_of,
    traffic_dataset,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.spec import DatasetSpec
    from mlops_tasks.types import IngestResult

DAY = day(0)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    source = Source(tmp_path / "source.db")
    source.add(0)
    source.add(1)
    return source


@pytest.fixture
def orders(tmp_path: Path) -> DatasetSpec:
    return orders_dataset(tmp_path)


def run(
    spec: DatasetSpec, source: Source | str, lake: Lake, *, token: int = 2, partition: str = DAY
) -> IngestResult:
    url = source if isinstance(source, str) else source.url
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"timeout": 0})
    return ingest(spec, partition, source=engine, lake=lake, token=token)


@pytest.mark.parametrize("dataset", [orders_dataset, traffic_dataset, deliveries_dataset])
def test_a_day_of_the_source_becomes_a_raw_partition(
    tmp_path: Path, source: Source, lake: Lake, dataset: Any
) -> None:
    spec = dataset(tmp_path)
    result = run(spec, source, lake)
    found = lake.read(raw_table(spec), first=DAY, last=DAY)
    key = [(name, "ascending") for name in spec.key]
    assert found.sort_by(key) == rows_of(0)[spec.name].sort_by(key)
    assert (result.raw.table, result.raw.n_rows) == (f"{spec.name}__raw", found.num_rows)
    assert 0 <= result.query_s < 60


def test_it_holds_as_many_rows_as_there_are_in_batches(
    orders: DatasetSpec, source: Source, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(orders, source, lake, token=1)
    monkeypatch.setattr("mlops_tasks.ingestion._BATCH_ROWS", 7)
    batched = run(orders, source, lake, token=2)
    assert (batched.raw.digest, batched.raw.n_rows) == (whole.raw.digest, ROWS_PER_DAY)


def test_only_the_contract_is_taken(orders: DatasetSpec, source: Source, lake: Lake) -> None:
    source.run("ALTER TABLE orders ADD COLUMN card_number DEFAULT '4111'")
    run(orders, source, lake)
    names = lake.read("orders__raw", first=DAY, last=DAY).schema.names
    assert sorted(names) == sorted(orders.columns)


def test_taking_a_day_again_replaces_it(orders: DatasetSpec, source: Source, lake: Lake) -> None:
    run(orders, source, lake, token=1)
    source.run(f"DELETE FROM orders WHERE order_date = '{DAY}' AND items < 5")
    again = run(orders, source, lake, token=2)
    assert again.raw.n_rows == lake.read("orders__raw", first=DAY, last=DAY).num_rows
    assert again.raw.n_rows < ROWS_PER_DAY


def test_databases_without_booleans_and_times_are_understood(
    tmp_path: Path, source: Source, lake: Lake
) -> None:
    spec = orders_dataset(
        tmp_path,
        query="SELECT 'a' AS order_id, :partition || 'T05:00:00+05:00' AS ordered_at, 'z' AS zone,"
        " NULL AS shop, 1 AS items, 2 AS distance, 1.0 AS express"
        " UNION ALL SELECT 'b', NULL, 'z', 'x', 2, NULL, NULL",
    )
    run(spec, source, lake)
    (first, second) = lake.read("orders__raw", first=DAY, last=DAY).sort_by("order_id").to_pylist()
    assert first["ordered_at"].isoformat() == f"{DAY}T00:00:00+00:00"
    assert (first["express"], first["distance"], first["shop"]) == (True, 2.0, None)
    assert (second["ordered_at"], second["express"]) == (None, None)


# --- what goes wrong is named, and nothing that is there is lost


def fails(
    error: type[MlopsError], match: str, spec: DatasetSpec, source: Source | str, lake: Lake
) -> MlopsError:
    """Run it and prove that the partition of an earlier run stays exactly as it was."""
    before = (lake.version(raw_table(spec)), lake.read(raw_table(spec), first=DAY, last=DAY))
    with pytest.raises(error, match=match) as raised:
        run(spec, source, lake, token=99)
    table = raw_table(spec)
    assert (lake.version(table), lake.read(table, first=DAY, last=DAY)) == before
    assert "dataset 'orders'" in str(raised.value)
    return raised.value


@pytest.fixture
def published(orders: DatasetSpec, source: Source, lake: Lake) -> Lake:
    run(orders, source, lake, token=1)
    return lake


def test_a_database_that_does_not_answer_is_worth_a_retry(
    orders: DatasetSpec, published: Lake, tmp_path: Path
) -> None:
    gone = f"sqlite:///file:{tmp_path}/gone.db?mode=ro&uri=true"
    error = fails(
        SourceUnavailableError, "'shop_source' does not answer: unable", orders, gone, published
    )
    assert isinstance(error, TransientError)
    assert "check the connection in Airflow" in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__, "the driver's chain may hold the password"


def test_a_locked_database_is_worth_a_retry(
    orders: DatasetSpec, source: Source, published: Lake
) -> None:
    with closing(sqlite3.connect(source.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        fails(SourceUnavailableError, "database is locked", orders, source, published)


def test_a_connection_lost_while_reading_is_worth_a_retry(
    orders: DatasetSpec, source: Source, lake: Lake
) -> None:
    engine = sa.create_engine(source.url, poolclass=sa.NullPool)

    @sa.event.listens_for(engine, "handle_error")
    def disconnect(context: sa.engine.ExceptionContext) -> None:
        context.is_disconnect = True

    source.run("DROP TABLE orders")
    with pytest.raises(SourceUnavailableError, match="does not answer"):
        ingest(orders, DAY, source=engine, lake=lake, token=1)


def test_a_missing_table_is_named(orders: DatasetSpec, source: Source, published: Lake) -> None:
    source.run("DROP TABLE orders")
    error = fails(SourceQueryError, "no such table: orders", orders, source, published)
    assert "restore the table or column, or mend the query in the spec" in str(error)
    assert not isinstance(error, TransientError)


def test_a_missing_column_of_the_query_is_named(
    tmp_path: Path, source: Source, published: Lake
) -> None:
    spec = orders_dataset(
        tmp_path, query="SELECT order_id, weight FROM orders WHERE order_date = :partition"
    )
    fails(SourceQueryError, "no such column: weight", spec, source, published)


def test_a_missing_column_of_the_contract_is_named(
    orders: DatasetSpec, source: Source, published: Lake
) -> None:
    source.run("ALTER TABLE orders DROP COLUMN distance")
    fails(SchemaMismatchError, r"no column \['distance'\]; .*'items'", orders, source, published)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("items", "1.5"),
        ("items", "'77'"),
        ("items", "x'00'"),
        ("distance", "'far'"),
        ("shop", "5"),
        ("shop", "x'ff'"),
        ("express", "2"),
        ("express", "'yes'"),
        ("ordered_at", "'2024-03-01T10:00:00'"),
        ("ordered_at", "'yesterday'"),
        ("ordered_at", "1709286000"),
        ("ordered_at", "1709286000.5"),
    ],
)
def test_a_value_of_another_type_is_refused_and_not_guessed(
    orders: DatasetSpec, source: Source, published: Lake, column: str, value: str
) -> None:
    source.run(
        f"UPDATE orders SET {column} = {value} WHERE rowid ="
        f" (SELECT min(rowid) FROM orders WHERE order_date = '{DAY}')"
    )
    error = fails(SchemaMismatchError, f"column '{column}'", orders, source, published)
    assert f"the contract says '{orders.columns[column]}'" in str(error)
    assert "Change the contract in the spec or mend the source" in str(error)


def test_a_whole_column_of_numbers_is_no_time(
    orders: DatasetSpec, source: Source, published: Lake
) -> None:
    source.run("UPDATE orders SET ordered_at = 1709286000")
    fails(SchemaMismatchError, "column 'ordered_at'", orders, source, published)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("items", 2**63),
        ("items", 1e30),
        ("items", math.nan),
        ("items", Decimal("1.5")),
        ("items", True),
        ("ordered_at", datetime(2024, 3, 1)),
        ("ordered_at", date(2024, 3, 1)),
    ],
)
def test_what_other_databases_may_give_is_not_guessed_either(
    orders: DatasetSpec, column: str, value: Any
) -> None:
    """SQLite has no such values, so the conversion is called as it would be with them."""
    from mlops_tasks.ingestion import _column

    field = arrow_schema(orders).field(column)
    with pytest.raises(SchemaMismatchError, match=f"column '{column}'"):
        _column(orders, field, (None, value))


def test_instants_of_any_zone_are_kept_as_utc(orders: DatasetSpec) -> None:
    from mlops_tasks.ingestion import _column

    noon = datetime(2024, 3, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    column = _column(orders, arrow_schema(orders).field("ordered_at"), (noon, None))
    assert column.to_pylist() == [datetime(2024, 3, 1, 7, tzinfo=UTC), None]


def test_whole_numbers_stored_as_real_are_whole_numbers(
    orders: DatasetSpec, source: Source, lake: Lake
) -> None:
    source.run("UPDATE orders SET items = 3.0 WHERE items = 3")
    run(orders, source, lake)
    found = lake.read("orders__raw", first=DAY, last=DAY).column("items")
    assert sorted(found.to_pylist()) == sorted(rows_of(0)["orders"].column("items").to_pylist())


def test_an_empty_day_is_refused_with_what_to_do(
    orders: DatasetSpec, source: Source, published: Lake
) -> None:
    source.run(f"DELETE FROM orders WHERE order_date = '{DAY}'")
    error = fails(EmptyPartitionError, f"no rows for {DAY}", orders, source, published)
    assert "run this task again once it is there" in str(error)


def test_a_late_attempt_is_refused(orders: DatasetSpec, source: Source, published: Lake) -> None:
    run(orders, source, published, token=50)
    with pytest.raises(StaleAttemptError):
        run(orders, source, published, token=49)


def test_a_day_is_data_and_never_part_of_the_query(
    orders: DatasetSpec, source: Source, lake: Lake
) -> None:
    with pytest.raises(MlopsError):
        run(orders, source, lake, partition="x' OR '1'='1")
    assert not lake.exists("orders__raw")
