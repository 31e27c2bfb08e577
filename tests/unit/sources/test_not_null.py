"""A source that used to keep nulls out by its own declaration, and stops to."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from pyarrow import fs

from mlops_tasks.exceptions import DamagedTableError, SchemaMismatchError
from mlops_tasks.sources import Database, DeltaStore, FileStore
from mlops_tasks.specs.source import DeltaSource, FileSource, SqlSource
from mlops_tasks.steps.ingest import ingest
from tests.unit.orders import day, orders_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.sources import Source

    Write = Callable[..., None]

COLUMNS = {"order_id": "string", "items": "int64", "note": "string?", "day": "string"}


class Files:
    """A Parquet file a day."""

    spec = FileSource(conn_id="landing", path="{partition}")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = FileStore(fs.LocalFileSystem(), str(folder))

    def write(self, rows: pa.Table) -> None:
        folder = self.folder / rows.column("day")[0].as_py()
        folder.mkdir(parents=True, exist_ok=True)
        for part, piece in enumerate((rows.slice(0, 20), rows.slice(20))):
            pq.write_table(piece, folder / f"{part}.parquet")


class Table:
    """A Delta table; delta-rs never loosens a column, so the owner makes it anew."""

    spec = DeltaSource(conn_id="landing", path="orders", time_column="day")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = DeltaStore(str(folder))

    def write(self, rows: pa.Table) -> None:
        deltalake.write_deltalake(
            self.folder / "orders", rows, mode="overwrite", schema_mode="overwrite"
        )


class Shop:
    """A table in SQLite."""

    spec = SqlSource(conn_id="landing", table="orders", time_column="day")

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.path = folder / "shop.db"
        self.store = Database(sa.make_url(f"sqlite:///{self.path}"))

    def write(self, rows: pa.Table) -> None:
        columns = [f"{f.name} {'' if f.nullable else 'NOT NULL'}" for f in rows.schema]
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("DROP TABLE IF EXISTS orders")
            connection.execute(f"CREATE TABLE orders ({', '.join(columns)})")
            values = [tuple(row.values()) for row in rows.to_pylist()]
            connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", values)


def rows(number: int, *never_null: str, nulls: int = 0) -> pa.Table:
    """Return 40 orders of a day; the columns named are declared never null."""
    kinds = {"order_id": pa.string(), "items": pa.int64(), "note": pa.string(), "day": pa.string()}
    items = [None] * nulls + list(range(40 - nulls))
    values = [[str(n) for n in range(40)], items, ["-"] * 40, [day(number)] * 40]
    fields = [pa.field(name, kind, name not in never_null) for name, kind in kinds.items()]
    return pa.table(values, schema=pa.schema(fields))


@pytest.fixture(params=[Files, Table, Shop])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return request.param(tmp_path / "source")


@pytest.fixture
def take(tmp_path: Path, source: Any, lake: Lake) -> Callable[..., int]:
    def run(number: int, table: pa.Table | None = None, **columns: str) -> int:
        if table is not None:
            source.write(table)
        spec = orders_dataset(tmp_path, source=source.spec, columns=COLUMNS | columns)
        store: Source = source.store
        token = (
            len(lake.table("orders__raw").all_commits()) + 1 if lake.exists("orders__raw") else 1
        )
        return ingest(spec, day(number), source=store, lake=lake, token=token).raw.n_rows

    return run


def test_a_column_that_becomes_nullable_is_refused(take: Callable[..., int], lake: Lake) -> None:
    take(0, rows(0, "order_id", "items", "note"))
    with pytest.raises(SchemaMismatchError) as error:
        take(1, rows(1, "order_id"))
    assert (
        "column 'items': the contract says 'int64', never null; the source declared it NOT NULL "
        f"(first seen with {day(0)}) and declares it nullable now. Write 'int64?' if that is meant"
    ) in str(error.value)
    assert "'order_id'" not in str(error.value)
    assert "'note'" not in str(error.value), "the contract lets it be null"
    assert lake.table("orders__raw").partitions() == [day(0)]
    assert take(1, rows(1, "order_id", "items")) == 40


def test_a_contract_that_allows_it_takes_it(take: Callable[..., int]) -> None:
    take(0, rows(0, "order_id", "items"))
    assert take(1, rows(1, "order_id", nulls=30), items="int64?") == 40
    # The declaration of before is forgotten with it.
    assert take(2, rows(2, "order_id")) == 40


def test_single_nulls_where_nothing_was_ever_declared_are_bad_rows(
    take: Callable[..., int],
) -> None:
    assert take(0, rows(0)) == 40
    assert take(1, rows(1, nulls=2)) == 40, "validate keeps them back"
    with pytest.raises(SchemaMismatchError, match="nulls in 3 of 40 rows"):
        take(1, rows(1, nulls=3))


def test_an_older_day_may_come_again_as_it_was(take: Callable[..., int], lake: Lake) -> None:
    take(2, rows(2, "items"))
    assert take(1, rows(1)) == 40
    assert take(1, rows(1, "items")) == 40
    assert json.loads((lake.root / "_declared" / "orders.json").read_text()) == {"items": day(1)}


def test_the_record_may_be_removed_to_go_on_and_must_be_readable(
    take: Callable[..., int], lake: Lake
) -> None:
    record = lake.root / "_declared" / "orders.json"
    take(0, rows(0, "items"))
    with pytest.raises(SchemaMismatchError, match=f"remove {record}"):
        take(1, rows(1))
    record.write_text("{")
    with pytest.raises(DamagedTableError, match="remove it: it is written again"):
        take(1)
    record.unlink()
    assert take(1) == 40
