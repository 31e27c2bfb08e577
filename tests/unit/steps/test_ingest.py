from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from mlops_tasks.exceptions import (
    EmptyPartitionError,
    MlopsError,
    SchemaMismatchError,
    SourceAccessError,
    SourceQueryError,
    SourceUnavailableError,
    StaleAttemptError,
    TransientError,
)
from mlops_tasks.sources import Database
from mlops_tasks.specs.source import SqlSource
from mlops_tasks.steps.ingest import ingest, raw_table
from tests.unit.orders import (
    ROWS_PER_DAY,
    Source,
    day,
    deliveries_dataset,
    of_day,
    orders_dataset,
    rows_of,
    traffic_dataset,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.steps.ingest import IngestResult

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


@pytest.fixture
def everything(tmp_path: Path) -> DatasetSpec:
    """Take whatever columns there are."""
    return orders_dataset(tmp_path, source=of_day("orders", "order_date"))


def run(
    spec: DatasetSpec, source: Source | str, lake: Lake, *, token: int = 2, partition: str = DAY
) -> IngestResult:
    url = source if isinstance(source, str) else source.url
    database = Database(sa.make_url(f"{url}&timeout=0"))
    return ingest(spec, partition, source=database, lake=lake, token=token)


@pytest.mark.parametrize("dataset", [orders_dataset, traffic_dataset, deliveries_dataset])
def test_a_day_of_the_source_becomes_a_raw_partition(
    tmp_path: Path, source: Source, lake: Lake, dataset: Any
) -> None:
    spec = dataset(tmp_path)
    result = run(spec, source, lake)
    found = lake.table(raw_table(spec)).read(first=DAY, last=DAY)
    key = [(name, "ascending") for name in spec.key]
    assert found.sort_by(key) == rows_of(0)[spec.name].sort_by(key)
    assert (result.raw.table, result.raw.n_rows) == (f"{spec.name}__raw", found.num_rows)
    assert 0 <= result.query_s < 60


def test_it_holds_as_many_rows_as_there_are_in_batches(
    orders: DatasetSpec, source: Source, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(orders, source, lake, token=1)
    monkeypatch.setattr("mlops_tasks.sources.sqlalchemy._BATCH_ROWS", 7)
    batched = run(orders, source, lake, token=2)
    assert (batched.raw.digest, batched.raw.n_rows) == (whole.raw.digest, ROWS_PER_DAY)


def kept(*names: str) -> str:
    return f"new columns, kept though no contract names them: {', '.join(names)}"


def test_a_new_column_is_kept_and_told(
    orders: DatasetSpec, everything: DatasetSpec, source: Source, lake: Lake
) -> None:
    run(orders, source, lake, partition=day(1), token=1)
    source.run("ALTER TABLE orders ADD COLUMN coupon DEFAULT 'SPRING'")
    result = run(everything, source, lake)
    assert result.notes == (kept("order_date (string)", "coupon (string)"),)
    rows = lake.table("orders__raw").read(first=DAY, last=day(1))
    assert rows.column("coupon").to_pylist().count("SPRING") == ROWS_PER_DAY
    assert rows.column("coupon").null_count == ROWS_PER_DAY
    assert run(everything, source, lake, token=3).notes == ()


def test_a_new_column_that_goes_again_is_null(
    everything: DatasetSpec, source: Source, lake: Lake
) -> None:
    source.run("ALTER TABLE orders ADD COLUMN coupon DEFAULT 'SPRING'")
    run(everything, source, lake, token=1)
    source.run("ALTER TABLE orders DROP COLUMN coupon")
    result = run(everything, source, lake)
    assert result.notes == ("columns of earlier partitions, null in this one: coupon",)
    assert (
        lake.table("orders__raw").read(first=DAY, last=DAY).column("coupon").null_count
        == ROWS_PER_DAY
    )


def test_a_new_column_keeps_the_type_it_came_with(
    everything: DatasetSpec, source: Source, lake: Lake
) -> None:
    source.run("ALTER TABLE orders ADD COLUMN weight DEFAULT 5")
    run(everything, source, lake, token=1)
    source.run("UPDATE orders SET weight = 'heavy'")
    result = run(everything, source, lake, token=2)
    assert result.notes[0].startswith("column 'weight' (null) is not kept: it is int64, a value is")
    rows = lake.table("orders__raw").read(first=DAY, last=DAY)
    assert rows["weight"].null_count == rows.num_rows == ROWS_PER_DAY
    source.run("UPDATE orders SET weight = NULL")
    run(everything, source, lake, token=3)
    source.run("UPDATE orders SET weight = 7")
    run(everything, source, lake, token=4)
    weights = lake.table("orders__raw").read(first=DAY, last=DAY)["weight"]
    assert weights.to_pylist() == [7] * ROWS_PER_DAY


def test_columns_without_a_place_are_left_out_and_told(
    everything: DatasetSpec, source: Source, lake: Lake
) -> None:
    source.run(
        "ALTER TABLE orders ADD COLUMN empty",
        "ALTER TABLE orders ADD COLUMN photo DEFAULT x'ff'",
        "ALTER TABLE orders ADD COLUMN 'Gift Text' DEFAULT 'hi'",
        "ALTER TABLE orders ADD COLUMN reasons DEFAULT 'none'",
    )
    assert run(everything, source, lake).notes == (
        "column 'empty' (null) is not kept: no value, no type",
        "column 'photo' (blob) is not kept: its type",
        "column 'Gift Text' (string) is not kept: its name is not made of a-z, 0-9 and _",
        "column 'reasons' (string) is not kept: the lake has a column of that name",
        kept("order_date (string)"),
    )
    names = lake.table("orders__raw").read(first=DAY, last=DAY).schema.names
    assert sorted(names) == sorted({*everything.columns, "order_date"})


def test_columns_beyond_the_contract_may_be_ignored(
    tmp_path: Path, source: Source, lake: Lake
) -> None:
    source.run("ALTER TABLE orders ADD COLUMN card_number DEFAULT '4111'")
    spec = orders_dataset(tmp_path, source=of_day("orders", "order_date"), extra_columns="ignore")
    result = run(spec, source, lake)
    assert result.notes == ("columns ['card_number', 'order_date'] are ignored, as the spec says",)
    names = lake.table("orders__raw").read(first=DAY, last=DAY).schema.names
    assert sorted(names) == sorted(spec.columns)


def test_to_ignore_columns_needs_none_to_ignore(tmp_path: Path, source: Source, lake: Lake) -> None:
    assert run(orders_dataset(tmp_path, extra_columns="ignore"), source, lake).notes == ()


def test_the_day_may_be_asked_for_by_its_bounds(tmp_path: Path, source: Source, lake: Lake) -> None:
    query = (
        "SELECT * FROM orders WHERE datetime(ordered_at) >= datetime(:start)"
        " AND datetime(ordered_at) < datetime(:end)"
    )
    whole = orders_dataset(tmp_path, source=SqlSource(conn_id="shop_source", query=query))
    assert run(whole, source, lake, token=1).raw.n_rows == ROWS_PER_DAY
    east = orders_dataset(
        tmp_path,
        source=SqlSource(conn_id="shop_source", query=query),
        timezone="Asia/Tokyo",
    )
    run(east, source, lake, partition=day(1), token=2)
    times = (
        lake.table("orders__raw").read(first=day(1), last=day(1)).column("ordered_at").to_pylist()
    )
    assert min(times) >= datetime(2024, 3, 1, 15, tzinfo=UTC)
    assert max(times) < datetime(2024, 3, 2, 15, tzinfo=UTC)


def test_how_it_goes_is_logged_now_and_then(
    orders: DatasetSpec,
    source: Source,
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("mlops_tasks.sources.sqlalchemy._BATCH_ROWS", 30)
    monkeypatch.setattr("mlops_tasks.steps.ingest._PROGRESS_S", 0.0)
    with caplog.at_level("INFO", "mlops_tasks.steps.ingest"):
        run(orders, source, lake)
    lines = [record.getMessage() for record in caplog.records if "rows/s" in record.getMessage()]
    assert [line.split(",")[0] for line in lines] == [f"orders: {n} rows" for n in (30, 60, 80)]


def test_taking_a_day_again_replaces_it(orders: DatasetSpec, source: Source, lake: Lake) -> None:
    run(orders, source, lake, token=1)
    source.run(f"DELETE FROM orders WHERE order_date = '{DAY}' AND items < 5")
    again = run(orders, source, lake, token=2)
    assert again.raw.n_rows == lake.table("orders__raw").read(first=DAY, last=DAY).num_rows
    assert again.raw.n_rows < ROWS_PER_DAY


def test_databases_without_booleans_and_times_are_understood(
    tmp_path: Path, source: Source, lake: Lake
) -> None:
    spec = orders_dataset(
        tmp_path,
        source=SqlSource(
            conn_id="shop_source",
            query="SELECT 'a' AS order_id, :partition || 'T05:00:00+05:00' AS ordered_at,"
            " 'z' AS zone, NULL AS shop, 1 AS items, 2 AS distance, 1.0 AS express"
            " UNION ALL SELECT 'b', NULL, 'z', 'x', 2, NULL, NULL",
        ),
        max_quarantined_share=0.5,
    )
    run(spec, source, lake)
    (first, second) = (
        lake.table("orders__raw").read(first=DAY, last=DAY).sort_by("order_id").to_pylist()
    )
    assert first["ordered_at"].isoformat() == f"{DAY}T00:00:00+00:00"
    assert (first["express"], first["distance"], first["shop"]) == (True, 2.0, None)
    assert (second["ordered_at"], second["express"]) == (None, None)


# --- what goes wrong is named, and nothing that is there is lost


def fails(
    error: type[MlopsError], match: str, spec: DatasetSpec, source: Source | str, lake: Lake
) -> MlopsError:
    """Run it and prove that the partition of an earlier run stays exactly as it was."""
    before = (
        lake.table(raw_table(spec)).version,
        lake.table(raw_table(spec)).read(first=DAY, last=DAY),
    )
    with pytest.raises(error, match=match) as raised:
        run(spec, source, lake, token=99)
    table = raw_table(spec)
    assert (lake.table(table).version, lake.table(table).read(first=DAY, last=DAY)) == before
    assert "dataset 'orders'" in str(raised.value)
    return raised.value


@pytest.fixture
def published(orders: DatasetSpec, source: Source, lake: Lake) -> Lake:
    run(orders, source, lake, token=1)
    return lake


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("sqlite:///file:{}/gone.db?mode=ro&uri=true", "gone.db' does not exist"),
        ("sqlite:///{}/gone.db?cached_statements=9", "gone.db' does not exist"),
        ("sqlite:///{}/no/folder/gone.db?cached_statements=9", "gone.db' does not exist"),
        ("sqlite:///{}?cached_statements=9", "' is no file"),
        ("sqlite://", "in memory has no rows"),
        ("sqlite:///:memory:", "in memory has no rows"),
        ("sqlite:///file:x?mode=memory&uri=true", "in memory has no rows"),
        ("nosuch://db/shop", "nosuch"),
        ("sqlite+nosuch:///x", "does not exist"),
    ],
)
def test_a_database_that_is_not_there_is_named_and_not_made(
    orders: DatasetSpec, published: Lake, tmp_path: Path, address: str, message: str
) -> None:
    """Another try would not find it either."""
    before = sorted(tmp_path.rglob("*"))
    url = address.format(tmp_path)
    error = fails(SourceAccessError, "connection 'shop_source' cannot", orders, url, published)
    assert not isinstance(error, TransientError)
    assert message in str(error)
    assert (error.__cause__, error.__context__) == (None, None), "they may hold the password"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_is_no_database_is_named(
    orders: DatasetSpec, published: Lake, tmp_path: Path
) -> None:
    (tmp_path / "text.db").write_text("order_id\n" * 1000)
    fails(
        SourceQueryError,
        "file is not a database",
        orders,
        f"sqlite:///{tmp_path}/text.db?cached_statements=9",
        published,
    )


def test_a_locked_database_is_worth_a_retry(
    orders: DatasetSpec, source: Source, published: Lake
) -> None:
    with closing(sqlite3.connect(source.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        fails(SourceUnavailableError, "database is locked", orders, source, published)


def test_a_missing_table_is_named(orders: DatasetSpec, source: Source, published: Lake) -> None:
    source.run("DROP TABLE orders")
    error = fails(SourceQueryError, "no such table: orders", orders, source, published)
    assert "Restore the table, column or file, or fix the source in the spec" in str(error)
    assert not isinstance(error, TransientError)


def test_a_missing_column_of_the_query_is_named(
    tmp_path: Path, source: Source, published: Lake
) -> None:
    spec = orders_dataset(tmp_path, source=of_day("orders", "order_date", "order_id, weight"))
    fails(SourceQueryError, "no such column: weight", spec, source, published)


def test_a_missing_column_of_the_contract_is_named(
    everything: DatasetSpec, source: Source, published: Lake
) -> None:
    source.run("ALTER TABLE orders DROP COLUMN distance")
    found = r"no column \['distance'\]; .*'items'"
    fails(SchemaMismatchError, found, everything, source, published)
    query = (
        "SELECT order_id, order_id, '2024-03-01T00:00:00Z' AS ordered_at, zone, shop,"
        " items, 2.0 AS distance, express"
    )
    twice = SqlSource(conn_id="shop_source", query=f"{query} FROM orders WHERE :partition > ''")
    spec = everything.model_copy(update={"source": twice})
    fails(SchemaMismatchError, r"gives \['order_id'\] more than once", spec, source, published)


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
    assert "Change the contract in the spec or fix the source" in str(error)


def test_a_whole_column_of_numbers_is_no_time(
    orders: DatasetSpec, source: Source, published: Lake
) -> None:
    source.run("UPDATE orders SET ordered_at = 1709286000")
    fails(SchemaMismatchError, "column 'ordered_at'", orders, source, published)


def test_a_column_that_has_become_nullable_is_refused(
    orders: DatasetSpec, source: Source, published: Lake
) -> None:
    source.run("UPDATE orders SET items = NULL, shop = NULL WHERE distance > 5")
    error = fails(SchemaMismatchError, "column 'items'", orders, source, published)
    assert "the contract says 'int64', never null; the source has nulls in " in str(error)
    assert "Write 'int64?' if that is meant" in str(error)
    assert "shop" not in str(error), "it may be null"


def test_few_nulls_are_rows_for_the_quarantine(
    orders: DatasetSpec, source: Source, lake: Lake
) -> None:
    source.run("UPDATE orders SET items = NULL WHERE order_id LIKE '%/7'")
    run(orders, source, lake)
    assert lake.table("orders__raw").read(first=DAY, last=DAY).column("items").null_count == 1


def test_whole_numbers_stored_as_real_are_whole_numbers(
    orders: DatasetSpec, source: Source, lake: Lake
) -> None:
    source.run("UPDATE orders SET items = 3.0 WHERE items = 3")
    run(orders, source, lake)
    found = lake.table("orders__raw").read(first=DAY, last=DAY).column("items")
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


KILLED = """
import sys
from pathlib import Path
from sqlalchemy import make_url
from mlops_tasks.ingestion import ingest
from mlops_tasks.lake import Lake
from mlops_tasks.sources import Database
from tests.unit.orders import day, orders_dataset
folder, url = sys.argv[1:]
spec, lake = orders_dataset(Path(folder)), Lake(Path(folder) / "lake")
ingest(spec, day(0), source=Database(make_url(url)), lake=lake, token=50)
"""


def test_an_attempt_killed_while_reading_changes_nothing(
    orders: DatasetSpec, source: Source, published: Lake, tmp_path: Path
) -> None:
    before = published.table("orders__raw").read(first=DAY, last=DAY)
    source.run(f"DELETE FROM orders WHERE order_date = '{DAY}' AND items < 5")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), source.url],
        env={**os.environ, "MLOPS_FAULT": "ingest:mid_read:kill"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert published.table("orders__raw").read(first=DAY, last=DAY) == before
    again = run(orders, source, published, token=51)
    assert again.raw.n_rows < before.num_rows
