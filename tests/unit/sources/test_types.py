"""One table of types: every kind of source brings the very same Arrow values, ends included."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from deltalake import write_deltalake
from pyarrow import fs

from mlops_tasks.exceptions import SchemaMismatchError, SourceQueryError
from mlops_tasks.sources import Database, DeltaStore, FileStore
from mlops_tasks.specs import DatasetSpec
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.specs.source import DeltaSource, FileSource, SqlSource
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.validate import validate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake

DAY = "2024-03-01"
COLUMNS = {
    "id": "int64",
    "day": "string",
    "number": "int64?",
    "measure": "float64?",
    "flag": "bool?",
    "text": "string",
    "kind": "string?",
    "due": "date?",
    "at": "timestamp?",
}
INSTANT = pa.timestamp("us", tz="UTC")
VALUES: dict[str, list[Any]] = {
    "number": [2**63 - 1, -(2**63), 2**53 + 1, 0, None],
    "measure": [1.7976931348623157e308, 5e-324, -0.0, 0.1, None],
    "flag": [True, False, True, False, None],
    "text": ["", "ä→ß 😀", 'a "b",\r\nc', "NULL", " nan "],
    "kind": ["north", "south", "north", "007", None],
    "due": [date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29), date(1969, 12, 31), None],
    "at": [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC),
        datetime(2024, 3, 10, 2, 30, tzinfo=UTC),
        None,
    ],
}


def expected(n: int = 5) -> pa.Table:
    numbers = {"id": list(range(n)), "day": [DAY] * n}
    values = numbers | {name: column[:n] for name, column in VALUES.items()}
    types = {
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "string": pa.string(),
        "date": pa.date32(),
        "timestamp": INSTANT,
    }
    schema = pa.schema([(name, types[kind.rstrip("?")]) for name, kind in COLUMNS.items()])
    return pa.table(values, schema=schema)


def text_of(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def write_csv(rows: pa.Table, folder: Path) -> None:
    with (folder / f"{DAY}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows.schema.names)
        for row in rows.to_pylist():
            writer.writerow(["" if v is None else text_of(v) for v in row.values()])


def write_jsonl(rows: pa.Table, folder: Path) -> None:
    lines = [
        json.dumps({k: text_of(v) for k, v in row.items() if v is not None})
        for row in rows.to_pylist()
    ]
    (folder / f"{DAY}.jsonl").write_text("\n".join(lines))


def write_parquet(rows: pa.Table, folder: Path) -> None:
    stored = rows.set_column(6, "kind", rows["kind"].dictionary_encode())
    stored = stored.set_column(5, "text", rows["text"].cast(pa.large_string()))
    pq.write_table(stored, folder / f"{DAY}.parquet", row_group_size=2)


def write_delta(rows: pa.Table, folder: Path) -> None:
    write_deltalake(str(folder / "orders"), rows)


def write_sqlite(rows: pa.Table, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "shop.db")) as shop, shop:
        shop.execute(
            "CREATE TABLE orders (id INTEGER, day TEXT, number INTEGER, measure REAL,"
            " flag BOOLEAN, text TEXT, kind TEXT, due TEXT, at TEXT)"
        )
        places = ", ".join("?" * len(COLUMNS))
        values = [[text_of(v) for v in row.values()] for row in rows.to_pylist()]
        shop.executemany(f"INSERT INTO orders VALUES ({places})", values)


KINDS: dict[str, tuple[Callable[[pa.Table, Path], None], Any]] = {
    "csv": (write_csv, FileSource(conn_id="x", path="{partition}.csv", format="csv")),
    "jsonl": (write_jsonl, FileSource(conn_id="x", path="{partition}.jsonl", format="jsonl")),
    "parquet": (write_parquet, FileSource(conn_id="x", path="{partition}.parquet")),
    "delta": (write_delta, DeltaSource(conn_id="x", path="orders", time_column="day")),
    "sqlite": (
        write_sqlite,
        SqlSource(conn_id="x", query="SELECT * FROM orders WHERE day = :partition"),
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def dataset(tmp_path: Path, kind: str, **changes: Any) -> DatasetSpec:
    (tmp_path / "orders.json").write_text('{"name": "orders", "expectations": []}')
    fields: dict[str, Any] = {
        "name": "orders",
        "description": "Orders.",
        "source": KINDS[kind][1],
        "columns": COLUMNS,
        "key": ("id",),
        "expectations": tmp_path / "orders.json",
        "start": date(2024, 3, 1),
    }
    return DatasetSpec(**fields | changes)


def place(kind: str, folder: Path) -> Any:
    if kind == "delta":
        return DeltaStore(str(folder))
    if kind == "sqlite":
        return Database(sa.make_url(f"sqlite:///{folder}/shop.db"))
    return FileStore(fs.LocalFileSystem(), str(folder))


def taken(tmp_path: Path, lake: Lake, kind: str, rows: pa.Table, **changes: Any) -> pa.Table:
    """Write the rows in the kind of source, take them in and publish them."""
    KINDS[kind][0](rows, tmp_path)
    spec = dataset(tmp_path, kind, **changes)
    result = ingest(spec, DAY, source=place(kind, tmp_path), lake=lake, token=1)
    validate(spec, result.raw, lake=lake, token=2)
    return lake.table("orders").read(first=DAY, last=DAY).sort_by("id")


@each_kind
def test_every_source_brings_the_same_values(tmp_path: Path, lake: Lake, kind: str) -> None:
    rows = taken(tmp_path, lake, kind, expected())
    assert rows.schema.types == arrow_schema(dataset(tmp_path, kind)).types
    assert rows.equals(expected())
    if kind != "sqlite":  # it has no negative zero
        assert str(rows["measure"][2].as_py()) == "-0.0"


@each_kind
def test_a_column_of_nulls_alone_has_its_type(tmp_path: Path, lake: Lake, kind: str) -> None:
    """Also where the first rows are null and the last are not: batches decide nothing."""
    rows = expected().slice(4)
    assert taken(tmp_path, lake, kind, rows).equals(rows)


@each_kind
def test_the_size_of_a_batch_changes_nothing(
    tmp_path: Path, lake: Lake, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sqlalchemy._BATCH_ROWS", "parquet_files.BATCH_ROWS"):
        monkeypatch.setattr(f"mlops_tasks.sources.{name}", 1)
    for name in ("csv_files.BLOCK_BYTES", "jsonl_files.BLOCK_BYTES"):
        monkeypatch.setattr(f"mlops_tasks.sources.{name}", 7)
    reverse = expected().take([4, 3, 2, 1, 0])
    assert taken(tmp_path, lake, kind, reverse).equals(expected())


@each_kind
@pytest.mark.parametrize(
    ("column", "declared"),
    [("number", "int64"), ("measure", "float64"), ("flag", "bool"), ("kind", "string")],
)
def test_beyond_the_contract_types_are_kept_too(
    tmp_path: Path, lake: Lake, kind: str, column: str, declared: str
) -> None:
    columns = {name: what for name, what in COLUMNS.items() if name != column}
    rows = taken(tmp_path, lake, kind, expected(), columns=columns)[column]
    if kind == "csv" and declared != "string":  # it says nothing about types
        texts = ["" if value is None else str(value) for value in VALUES[column]]
        assert rows.to_pylist() == [text or None for text in texts]
    elif kind == "sqlite" and declared == "bool":  # it has none
        assert rows.to_pylist() == [1, 0, 1, 0, None]
    else:
        assert rows.to_pylist() == VALUES[column]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "sqlite"])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("due", "20000-01-01"),
        ("due", "0000-00-00"),
        ("due", "infinity"),
        ("due", "2023-02-29"),
        ("at", "20000-01-01T00:00:00Z"),
        ("at", "0000-00-00 00:00:00"),
        ("at", "-infinity"),
        ("at", "2024-03-01T23:59:60Z"),
        ("at", "2024-03-01T10:00:00.123456789Z"),
        ("at", "2024-03-01T10:00:00"),
        ("at", "2024-03-01"),
        ("at", "10:00:00"),
        ("number", "9223372036854775808"),
        ("number", "1.5"),
        ("flag", "maybe"),
    ],
)
def test_a_text_that_is_no_value_is_named_with_its_column(
    tmp_path: Path, lake: Lake, kind: str, column: str, value: str
) -> None:
    rows = expected()
    texts = pa.array(["", "", value, "", ""]) if kind == "csv" else pa.array([None] * 2 + [value])
    rows = rows.slice(0, len(texts)).drop([column]).append_column(column, texts)
    rows = rows.select(list(COLUMNS))
    with pytest.raises(SchemaMismatchError, match=f"column '{column}': the contract says") as error:
        taken(tmp_path, lake, kind, rows)
    assert (
        kind == "sqlite"
        or value in str(error.value)
        or "no zone" in str(error.value)
        or ("no instant" in str(error.value) or "string" in str(error.value))
    )
    assert lake.table("orders__raw").partitions() == []


@pytest.mark.parametrize(
    ("values", "column"),
    [
        (pa.array([2_932_897], pa.int32()).cast(pa.date32()), "due"),
        (pa.array([-719_163], pa.int32()).cast(pa.date32()), "due"),
        (pa.array([2**31 - 1], pa.int32()).cast(pa.date32()), "due"),
        (pa.array([253_402_300_800_000_000], pa.int64()).cast(INSTANT), "at"),
        (pa.array([1], pa.int64()).cast(pa.timestamp("ns", tz="UTC")), "at"),
        (pa.array([2**63], pa.uint64()), "number"),
        (pa.array([1.0]), "number"),
        (pa.array([1]), "measure"),
        (pa.array([b"x"]), "text"),
        (pa.array([b"\xff"]).view(pa.string()), "text"),
        (pa.array([1]), "flag"),
    ],
)
def test_a_stored_value_that_has_no_place_is_named_with_its_column(
    tmp_path: Path, lake: Lake, values: pa.Array, column: str
) -> None:
    rows = expected(1)
    rows = rows.set_column(rows.schema.get_field_index(column), column, values)
    pq.write_table(rows, tmp_path / f"{DAY}.parquet")
    spec = dataset(tmp_path, "parquet")
    with pytest.raises(SchemaMismatchError, match=f"column '{column}': the contract says"):
        ingest(spec, DAY, source=place("parquet", tmp_path), lake=lake, token=1)
    # ... and where no contract names it, it is left out of the day.
    columns = {name: kind for name, kind in COLUMNS.items() if name != column}
    result = ingest(
        dataset(tmp_path, "parquet", columns=columns),
        DAY,
        source=place("parquet", tmp_path),
        lake=lake,
        token=2,
    )
    kept = column in lake.table("orders__raw").read(first=DAY, last=DAY).schema.names
    assert kept == any(f"{column} (" in note for note in result.notes)
    assert kept == (column in ("measure", "flag") or str(values.type) == "double")


# --- INT96, the times of older writers and of Spark

OLD = {"use_deprecated_int96_timestamps": True}


def test_old_times_of_any_year_are_exact(tmp_path: Path, lake: Lake) -> None:
    rows = expected()
    local = rows["at"].cast(pa.timestamp("us"))
    rows = rows.set_column(rows.schema.get_field_index("at"), "at", local)
    pq.write_table(rows, tmp_path / f"{DAY}.parquet", **OLD)
    spec = dataset(tmp_path, "parquet", timezone="UTC")
    ingest(spec, DAY, source=place("parquet", tmp_path), lake=lake, token=1)
    found = lake.table("orders__raw").read(first=DAY, last=DAY).sort_by("id")
    assert found["at"].to_pylist() == VALUES["at"]


def test_old_times_with_finer_fractions_are_refused(tmp_path: Path, lake: Lake) -> None:
    rows = expected(1)
    fine = pa.array([1_700_000_000_000_000_001], pa.timestamp("ns"))
    rows = rows.set_column(rows.schema.get_field_index("at"), "at", fine)
    pq.write_table(rows, tmp_path / f"{DAY}.parquet", **OLD)
    spec = dataset(tmp_path, "parquet", timezone="UTC")
    with pytest.raises(SourceQueryError, match="'at': it has times with fractions finer"):
        ingest(spec, DAY, source=place("parquet", tmp_path), lake=lake, token=1)


@pytest.mark.parametrize("extra_columns", ["keep", "ignore"])
def test_beyond_the_contract_they_stop_no_day(
    tmp_path: Path, lake: Lake, extra_columns: str
) -> None:
    fine = pa.array([1_700_000_000_000_000_001], pa.timestamp("ns"))
    rows = expected(1).append_column("seen_at", fine).append_column("a.b", fine.cast(pa.int64()))
    pq.write_table(rows, tmp_path / f"{DAY}.parquet", **OLD)
    spec = dataset(tmp_path, "parquet", timezone="UTC", extra_columns=extra_columns)
    result = ingest(spec, DAY, source=place("parquet", tmp_path), lake=lake, token=1)
    found = lake.table("orders__raw").read(first=DAY, last=DAY)
    assert "seen_at" not in found.schema.names
    assert found["id"].to_pylist() == expected(1)["id"].to_pylist()
    assert any("seen_at" in note for note in result.notes)


def test_a_column_that_is_ignored_need_not_be_readable(tmp_path: Path, lake: Lake) -> None:
    buffers = [None, pa.py_buffer(np.array([0, 2], np.int32).tobytes()), pa.py_buffer(b"\xff\xfe")]
    no_text = pa.DictionaryArray.from_arrays([0], pa.Array.from_buffers(pa.string(), 1, buffers))
    pq.write_table(expected(1).append_column("remark", no_text), tmp_path / f"{DAY}.parquet")
    spec = dataset(tmp_path, "parquet", extra_columns="ignore")
    ingest(spec, DAY, source=place("parquet", tmp_path), lake=lake, token=1)
    assert lake.table("orders__raw").read(first=DAY, last=DAY).num_rows == 1
