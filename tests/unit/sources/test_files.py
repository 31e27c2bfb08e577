from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, convert_to_deltalake, write_deltalake
from pyarrow import fs

from mlops_tasks.exceptions import (
    EmptyPartitionError,
    MlopsError,
    SchemaMismatchError,
    SourceAccessError,
    SourceNotFoundError,
    SourceQueryError,
    SourceUnavailableError,
)
from mlops_tasks.sources import DeltaStore, FileStore, open_source
from mlops_tasks.sources.errors import SourceErrors, attempt, guarded
from mlops_tasks.specs.source import DeltaSource, FileSource, SqlSource
from mlops_tasks.steps.ingest import ingest
from tests.unit.orders import day, orders_dataset, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.steps.ingest import IngestResult

DAY = day(0)
N = 40


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def orders_in(tmp_path: Path, path: str, format: str = "parquet", **changes: Any) -> DatasetSpec:
    source = FileSource(conn_id="drop", path=path, format=format)
    return orders_dataset(tmp_path, **{"source": source, **changes})


def run(spec: DatasetSpec, drop: Path, lake: Lake, *, token: int = 1) -> IngestResult:
    store = FileStore(fs.LocalFileSystem(), str(drop))
    return ingest(spec, DAY, source=store, lake=lake, token=token)


def raw(lake: Lake) -> pa.Table:
    return lake.table("orders__raw").read(first=DAY, last=DAY).sort_by("order_id")


def orders(n: int = N) -> pa.Table:
    return rows_of(0, n=n)["orders"].sort_by("order_id")


def fails(error: type[MlopsError], spec: DatasetSpec, drop: Path, lake: Lake, *parts: str) -> str:
    """Run it and prove that nothing was published."""
    with pytest.raises(error) as raised:
        run(spec, drop, lake)
    assert lake.table("orders__raw").partitions() == []
    text = str(raised.value)
    assert not [part for part in ("dataset 'orders'", *parts) if part not in text], text
    return text


def lines(rows: pa.Table) -> list[dict[str, Any]]:
    times = [t.isoformat() for t in rows["ordered_at"].to_pylist()]
    return [{**row, "ordered_at": t} for row, t in zip(rows.to_pylist(), times, strict=True)]


def csv_text(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    cells = [[str(v) if v is not None else "" for v in row.values()] for row in rows]
    return "\n".join(delimiter.join(line) for line in [list(rows[0]), *cells]) + "\n"


# --- which files


@pytest.mark.parametrize(
    ("files", "path"),
    [
        (["2024-03-01.parquet"], "{partition}.parquet"),
        (["2024/03/01/a.parquet", "2024/03/01/b.parquet"], "{year}/{month}/{day}/*.parquet"),
        (["d=2024-03-01/a.parquet", "d=2024-03-01/x/b.parquet"], "d={partition}"),
        (["d=2024-03-01/a.parquet", "d=2024-03-01/x/b.parquet"], "d={partition}/**/*.parquet"),
        (["north/2024-03-01/a.parquet", "south/2024-03-01/b.parquet"], "*/{partition}/?.parquet"),
    ],
)
def test_all_files_of_a_day_are_taken_and_no_others(
    tmp_path: Path, drop: Path, lake: Lake, files: list[str], path: str
) -> None:
    rows = orders()
    share = -(-len(rows) // len(files))
    others = ["2024-03-02.parquet", "2024/03/02/a.parquet", "d=2024-03-02/a.parquet"]
    hidden = ["d=2024-03-01/_SUCCESS", "d=2024-03-01/.a.parquet.tmp", "2024/03/01/_tmp/z.parquet"]
    for name in [*files, *others, *hidden]:
        (drop / name).parent.mkdir(parents=True, exist_ok=True)
    for position, name in enumerate(files):
        pq.write_table(rows.slice(position * share, share), drop / name)
    for name in others:
        pq.write_table(orders(3), drop / name)
    for name in hidden:
        (drop / name).write_text("not whole yet")
    result = run(orders_in(tmp_path, path), drop, lake)
    assert raw(lake) == rows
    assert result.described.startswith(f"{len(files)} parquet files")


def test_a_day_without_files_is_named(tmp_path: Path, drop: Path, lake: Lake) -> None:
    for path in ("{partition}.csv", "{partition}/*.csv", "a/{partition}"):
        text = fails(SourceNotFoundError, orders_in(tmp_path, path), drop, lake, "'drop'", DAY)
        assert path.format(partition=DAY) in text
        assert "run this task again once it is there" in text


def test_files_without_rows_are_an_empty_day(tmp_path: Path, drop: Path, lake: Lake) -> None:
    pq.write_table(orders().slice(0, 0), drop / f"{DAY}.parquet")
    fails(EmptyPartitionError, orders_in(tmp_path, "{partition}.parquet"), drop, lake, DAY)
    (drop / f"{DAY}.csv").write_text(",".join(orders().schema.names) + "\n")
    fails(EmptyPartitionError, orders_in(tmp_path, "{partition}.csv", "csv"), drop, lake, DAY)


def test_a_link_out_of_the_root_is_not_followed(tmp_path: Path, drop: Path, lake: Lake) -> None:
    pq.write_table(orders(), tmp_path / "secret.parquet")
    (drop / f"{DAY}.parquet").symlink_to(tmp_path / "secret.parquet")
    spec = orders_in(tmp_path, "{partition}.parquet")
    fails(SourceAccessError, spec, drop, lake, "leads out of the root")


# --- Parquet


def test_parquet_types_are_widened_and_distinguished(
    tmp_path: Path, drop: Path, lake: Lake
) -> None:
    rows = orders()
    narrow = (
        rows.set_column(4, "items", rows["items"].cast(pa.int16()))
        .set_column(3, "shop", rows["shop"].dictionary_encode())
        .set_column(1, "ordered_at", rows["ordered_at"].cast(pa.timestamp("ns", tz="Asia/Tokyo")))
        .append_column("coupon", pa.array(["x"] * N))
        .append_column("tags", pa.array([["a"]] * N))
    )
    pq.write_table(narrow, drop / f"{DAY}.parquet", row_group_size=7)
    result = run(orders_in(tmp_path, "{partition}.parquet"), drop, lake)
    assert raw(lake).drop(["coupon"]) == rows
    assert result.notes[0].startswith("column 'tags' (list<")
    assert result.notes[1].endswith(": coupon (string)")


def test_every_file_keeps_the_contract_by_itself(tmp_path: Path, drop: Path, lake: Lake) -> None:
    """A reader that takes the first file's columns would fill the others with nulls."""
    rows, folder = orders(), drop / DAY
    folder.mkdir()
    pq.write_table(rows, folder / "a.parquet")
    spec = orders_in(tmp_path, "{partition}")
    pq.write_table(rows.drop(["distance"]), folder / "b.parquet")
    text = fails(SchemaMismatchError, spec, drop, lake, "b.parquet", "no column ['distance']")
    assert "a.parquet" not in text
    pq.write_table(
        rows.set_column(4, "items", rows["items"].cast(pa.string())), folder / "b.parquet"
    )
    fails(SchemaMismatchError, spec, drop, lake, "column 'items'", "'int64'", "string", "b.parquet")


def test_a_column_that_one_file_lacks_is_null_there(tmp_path: Path, drop: Path, lake: Lake) -> None:
    rows, folder = orders(), drop / DAY
    folder.mkdir()
    pq.write_table(rows.slice(0, 10), folder / "a.parquet")
    more = rows.slice(10).append_column("coupon", pa.array(["x"] * (N - 10)))
    pq.write_table(more, folder / "b.parquet")
    run(orders_in(tmp_path, "{partition}"), drop, lake)
    assert raw(lake)["coupon"].null_count == 10


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "flipped"])
def test_a_damaged_file_is_named(tmp_path: Path, drop: Path, lake: Lake, damage: str) -> None:
    path = drop / f"{DAY}.parquet"
    pq.write_table(orders(), path, write_page_checksum=True, compression="none")
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    whole = {"cut": content[:-20], "empty": b"", "text": b"order_id\n1\n", "flipped": content}
    path.write_bytes(whole[damage])
    spec = orders_in(tmp_path, "{partition}.parquet")
    fails(SourceQueryError, spec, drop, lake, f"{DAY}.parquet", "delivered again")


# --- CSV


def test_csv_is_read_as_the_contract_says(tmp_path: Path, drop: Path, lake: Lake) -> None:
    columns = {
        "order_id": "string",
        "shop": "string?",
        "note": "string",
        "items": "int64?",
        "distance": "float64?",
        "express": "bool?",
        "due": "date?",
        "ordered_at": "timestamp?",
    }
    (drop / f"{DAY}.csv").write_text(
        "due,order_id,shop,note,items,distance,express,ordered_at,zip\n"
        '2024-03-05,007,NA,"a ""b"",\nc",1,1.5,true,2024-03-01T10:00:00Z,0815\n'
        ",null,,,,,,,\n"
        "2024-03-06,ä→ß,nan,NaN,2,1e2,0,2024-03-01T10:00:00+02:00,NA\n"
    )
    run(orders_in(tmp_path, "{partition}.csv", "csv", columns=columns), drop, lake)
    first, second, third = raw(lake).to_pylist()
    assert first == {
        "order_id": "007",
        "shop": "NA",
        "note": 'a "b",\nc',
        "items": 1,
        "distance": 1.5,
        "express": True,
        "due": date(2024, 3, 5),
        "ordered_at": datetime(2024, 3, 1, 10, tzinfo=UTC),
        "zip": "0815",
    }
    assert second == dict.fromkeys(first) | {"order_id": "null", "note": ""}
    assert third["order_id"] == "ä→ß"
    assert (third["shop"], third["note"], third["zip"]) == ("nan", "NaN", "NA")
    assert (third["distance"], third["express"]) == (100.0, False)
    assert third["ordered_at"] == datetime(2024, 3, 1, 8, tzinfo=UTC)


def test_csv_may_be_packed_and_have_another_delimiter(
    tmp_path: Path, drop: Path, lake: Lake
) -> None:
    rows = orders()
    (drop / f"{DAY}.csv.gz").write_bytes(gzip.compress(csv_text(lines(rows), ";").encode()))
    source = FileSource(conn_id="drop", path="{partition}.csv.gz", format="csv", delimiter=";")
    run(orders_dataset(tmp_path, source=source), drop, lake)
    assert raw(lake) == rows


def test_csv_times_without_a_zone_need_one_in_the_spec(
    tmp_path: Path, drop: Path, lake: Lake
) -> None:
    rows = lines(orders())
    for row in rows:
        row["ordered_at"] = row["ordered_at"].removesuffix("+00:00")
    (drop / f"{DAY}.csv").write_text(csv_text(rows))
    spec = orders_in(tmp_path, "{partition}.csv", "csv")
    fails(SchemaMismatchError, spec, drop, lake, "column 'ordered_at'", "declare `timezone`")
    spec = orders_in(tmp_path, "{partition}.csv", "csv", timezone="Asia/Tokyo")
    run(spec, drop, lake)
    earlier = orders()["ordered_at"].to_pylist()[0] - timedelta(hours=9)
    assert raw(lake)["ordered_at"].to_pylist()[0] == earlier


@pytest.mark.parametrize(
    ("change", "error", "parts"),
    [
        ({"items": "1.5"}, SchemaMismatchError, ("column 'items'", "'int64'", "1.5")),
        ({"items": "0x10"}, SchemaMismatchError, ("column 'items'", "decimal digits")),
        ({"express": "yes"}, SchemaMismatchError, ("column 'express'", "'bool'", "yes")),
        ({"ordered_at": "now"}, SchemaMismatchError, ("column 'ordered_at'", "now")),
        (
            {"ordered_at": "2024-03-01"},
            SchemaMismatchError,
            ("column 'ordered_at'", "a day is no instant"),
        ),
        ({"shop": "a,b"}, SourceQueryError, ("Expected 7 columns, got 8", f"{DAY}.csv")),
    ],
)
def test_csv_that_says_something_else_is_named(
    tmp_path: Path, drop: Path, lake: Lake, change: Any, error: Any, parts: Any
) -> None:
    rows = lines(orders())
    rows[20] |= change
    (drop / f"{DAY}.csv").write_text(csv_text(rows))
    fails(error, orders_in(tmp_path, "{partition}.csv", "csv"), drop, lake, *parts)


@pytest.mark.parametrize(
    ("content", "error", "part"),
    [
        (b"", SourceQueryError, "not even a row that names the columns"),
        (b"order_id,order_id\n1,2\n", SchemaMismatchError, "no column"),
        (b"order_id\n\xff\n", SourceQueryError, "UTF8"),
    ],
)
def test_what_is_no_csv_is_named(
    tmp_path: Path, drop: Path, lake: Lake, content: bytes, error: Any, part: str
) -> None:
    (drop / f"{DAY}.csv").write_bytes(content)
    columns = {"order_id": "string"} if b"\xff" in content else {"a": "string"}
    spec = orders_in(
        tmp_path, "{partition}.csv", "csv", columns=columns, key=(next(iter(columns)),)
    )
    fails(error, spec, drop, lake, part)


def test_a_column_named_twice_in_a_header_is_refused(
    tmp_path: Path, drop: Path, lake: Lake
) -> None:
    (drop / f"{DAY}.csv").write_text("order_id,order_id\n1,2\n")
    spec = orders_in(tmp_path, "{partition}.csv", "csv", columns={"order_id": "string"})
    fails(SchemaMismatchError, spec, drop, lake, "['order_id'] more than once", f"{DAY}.csv")


# --- JSON lines


def test_json_lines_are_read_as_the_contract_says(tmp_path: Path, drop: Path, lake: Lake) -> None:
    rows = orders()
    text = "\ufeff" + "\n".join(json.dumps({**row, "coupon": 1}) for row in lines(rows))
    (drop / f"{DAY}.jsonl").write_text(f"{text}\n\n")
    result = run(orders_in(tmp_path, "{partition}.jsonl", "jsonl"), drop, lake)
    assert raw(lake).drop(["coupon"]) == rows
    assert result.notes[0].endswith(": coupon (int64)")


def test_json_lines_may_be_packed_and_longer_than_a_block(
    tmp_path: Path, drop: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tasks.sources.jsonl_files.BLOCK_BYTES", 512)
    rows = orders()
    text = "\r\n".join(json.dumps({**row, "shop": "x" * 700}) for row in lines(rows))
    (drop / f"{DAY}.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    run(orders_in(tmp_path, "{partition}.jsonl.gz", "jsonl"), drop, lake)
    assert raw(lake)["shop"].to_pylist() == ["x" * 700] * N


def test_json_values_beyond_the_contract_have_the_type_they_show(
    tmp_path: Path, drop: Path, lake: Lake
) -> None:
    extra = [
        {"a": 1, "b": 1, "c": None, "d": {"x": 1}, "e": True, "f": "2024-03-01", "g": 1},
        {"a": 1.5, "b": 2, "c": None, "d": {"x": 2}, "e": None, "f": "x", "g": "y"},
    ]
    rows = [{**row, **extra[i % 2]} for i, row in enumerate(lines(orders()))]
    (drop / f"{DAY}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    result = run(orders_in(tmp_path, "{partition}.jsonl", "jsonl"), drop, lake)
    assert [note.split(" ")[1] for note in result.notes[:-1]] == ["'c'", "'d'", "'g'"]
    assert result.notes[-1].endswith("a (double), b (int64), e (bool), f (string)")


def test_a_name_that_begins_later_is_kept(tmp_path: Path, drop: Path, lake: Lake) -> None:
    rows = lines(orders(1500))
    rows[1400]["late"] = "x"
    (drop / f"{DAY}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    run(orders_in(tmp_path, "{partition}.jsonl", "jsonl"), drop, lake)
    assert raw(lake)["late"].drop_null().to_pylist() == ["x"]


@pytest.mark.parametrize(
    ("change", "error", "parts"),
    [
        ({"order_id": 7}, SchemaMismatchError, ("column 'order_id'", f"{DAY}.jsonl")),
        ({"items": "7"}, SchemaMismatchError, ("column 'items'", "'int64'")),
        ({"items": 7.5}, SchemaMismatchError, ("column 'items'", "7.5")),
        ({"ordered_at": "now"}, SchemaMismatchError, ("column 'ordered_at'", "now")),
        ({"express": 1}, SchemaMismatchError, ("column 'express'", "'bool'")),
    ],
)
def test_json_that_says_something_else_is_named(
    tmp_path: Path, drop: Path, lake: Lake, change: Any, error: Any, parts: Any
) -> None:
    rows = lines(orders())
    rows[20] |= change
    (drop / f"{DAY}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    fails(error, orders_in(tmp_path, "{partition}.jsonl", "jsonl"), drop, lake, *parts)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"order_id": "a"', "no JSON"),
        ("[1]", "no JSON object"),
    ],
)
def test_what_is_no_json_is_named(
    tmp_path: Path, drop: Path, lake: Lake, text: str, part: str
) -> None:
    (drop / f"{DAY}.jsonl").write_text(text)
    fails(SourceQueryError, orders_in(tmp_path, "{partition}.jsonl", "jsonl"), drop, lake, part)


def test_a_line_that_breaks_off_is_named(tmp_path: Path, drop: Path, lake: Lake) -> None:
    rows = [json.dumps(row) for row in lines(orders(1200))]
    (drop / f"{DAY}.jsonl").write_text("\n".join(rows)[:-3])
    spec = orders_in(tmp_path, "{partition}.jsonl", "jsonl")
    fails(SourceQueryError, spec, drop, lake, f"{DAY}.jsonl", "line 1200 is no JSON")


@pytest.mark.parametrize("column", ["distance", "items"])
def test_a_name_that_no_line_has_is_null_in_all_of_them(
    tmp_path: Path, drop: Path, lake: Lake, column: str
) -> None:
    """Writers of JSON leave out what is null; the contract says whether it may be."""
    rows = [{k: v for k, v in row.items() if k != column} for row in lines(orders())]
    (drop / f"{DAY}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    spec = orders_in(tmp_path, "{partition}.jsonl", "jsonl")
    if spec.nullable(column):
        run(spec, drop, lake)
        assert raw(lake)[column].null_count == N
    else:
        text = f"column '{column}'", f"nulls in {N} of {N} rows"
        fails(SchemaMismatchError, spec, drop, lake, *text)


# --- another Delta table


def delta(tmp_path: Path, time_column: str = "ordered_at", **changes: Any) -> DatasetSpec:
    source = DeltaSource(conn_id="other", path="orders", time_column=time_column)
    return orders_dataset(tmp_path, **{"source": source, **changes})


def run_delta(spec: DatasetSpec, root: Path, lake: Lake, *, token: int = 1) -> IngestResult:
    return ingest(spec, DAY, source=DeltaStore(str(root)), lake=lake, token=token)


def three_days() -> pa.Table:
    days = [rows_of(number, n=N)["orders"] for number in range(3)]
    return pa.concat_tables(days)


def test_one_day_of_another_table_is_taken(tmp_path: Path, drop: Path, lake: Lake) -> None:
    write_deltalake(str(drop / "orders"), three_days())
    result = run_delta(delta(tmp_path), drop, lake)
    assert raw(lake) == orders()
    assert result.described == "Delta table version 0"
    tokyo = delta(tmp_path, timezone="Asia/Tokyo")
    run_delta(tokyo, drop, lake, token=2)
    assert max(raw(lake)["ordered_at"].to_pylist()) < datetime(2024, 3, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["date", "text", "local"])
def test_the_day_may_be_a_date_text_or_a_local_time(
    tmp_path: Path, drop: Path, lake: Lake, kind: str
) -> None:
    rows = three_days()
    made = {
        "date": rows["ordered_at"].cast(pa.timestamp("us")).cast(pa.date32()),
        "text": pa.array([t.date().isoformat() for t in rows["ordered_at"].to_pylist()]),
        "local": rows["ordered_at"].cast(pa.timestamp("us")),
    }
    table = rows.append_column("at", made[kind])
    write_deltalake(str(drop / "orders"), table, partition_by=None if kind == "local" else ["at"])
    run_delta(delta(tmp_path, "at", extra_columns="ignore"), drop, lake)
    assert raw(lake) == orders()


def test_columns_that_came_later_are_null_before(tmp_path: Path, drop: Path, lake: Lake) -> None:
    rows = orders()
    write_deltalake(str(drop / "orders"), rows.slice(0, 10), partition_by=["zone"])
    later = rows.slice(10).append_column("coupon", pa.array(["x"] * (N - 10)))
    write_deltalake(str(drop / "orders"), later, mode="append", schema_mode="merge")
    result = run_delta(delta(tmp_path), drop, lake)
    assert raw(lake)["coupon"].null_count == 10
    assert raw(lake).drop(["coupon"]) == rows
    assert result.described == "Delta table version 1"


@pytest.mark.parametrize("statistics", [True, False])
def test_rows_of_another_table_without_a_time_are_counted(
    tmp_path: Path, drop: Path, lake: Lake, statistics: bool
) -> None:
    rows = three_days()
    lost = pa.array([None] * 3 + rows["ordered_at"].to_pylist()[3:], rows.schema.field(1).type)
    rows = rows.set_column(1, "ordered_at", lost)
    settings = {} if statistics else {"delta.dataSkippingNumIndexedCols": "0"}
    write_deltalake(str(drop / "orders"), rows, configuration=settings)
    result = run_delta(delta(tmp_path), drop, lake)
    assert result.raw.n_rows == N - 3
    assert result.notes[0].startswith("3 rows of table 'orders' belong to no day")


def test_a_file_without_statistics_of_its_times_is_read(
    tmp_path: Path, drop: Path, lake: Lake
) -> None:
    """As Spark writes them by default: times as INT96, of which a table's log says nothing."""
    rows = orders()
    local = rows["ordered_at"].cast(pa.timestamp("us"))
    rows = rows.set_column(rows.schema.get_field_index("ordered_at"), "ordered_at", local)
    (drop / "orders").mkdir()
    pq.write_table(rows, drop / "orders/a.parquet", use_deprecated_int96_timestamps=True)
    convert_to_deltalake(drop / "orders")
    run_delta(delta(tmp_path, timezone="UTC"), drop, lake)
    assert raw(lake) == orders()


def test_a_table_with_other_names_in_its_files_is_refused(
    tmp_path: Path, drop: Path, lake: Lake
) -> None:
    mapped = {"delta.columnMapping.mode": "name"}
    write_deltalake(str(drop / "orders"), three_days(), configuration=mapped)
    with pytest.raises(SourceQueryError, match="maps the names of its columns"):
        run_delta(delta(tmp_path), drop, lake)


def test_a_damaged_file_of_another_table_is_named(tmp_path: Path, drop: Path, lake: Lake) -> None:
    write_deltalake(str(drop / "orders"), three_days())
    (path,) = (drop / "orders").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SourceQueryError, match=rf"{path.name}' cannot be read"):
        run_delta(delta(tmp_path), drop, lake)
    assert lake.table("orders__raw").partitions() == []


def test_what_is_wrong_with_another_table_is_named(tmp_path: Path, drop: Path, lake: Lake) -> None:
    def refused(error: type[MlopsError], spec: DatasetSpec, *parts: str) -> None:
        with pytest.raises(error) as raised:
            run_delta(spec, drop, lake)
        assert not [part for part in parts if part not in str(raised.value)], str(raised.value)
        assert lake.table("orders__raw").partitions() == []

    refused(SourceNotFoundError, delta(tmp_path), "orders")
    write_deltalake(str(drop / "orders"), three_days())
    refused(SourceQueryError, delta(tmp_path, "day"), "no time column 'day'")
    refused(SourceQueryError, delta(tmp_path, "items"), "int64", "neither a time")
    table = DeltaTable(str(drop / "orders"))
    (drop / "orders" / table.get_add_actions(flatten=True)["path"][0].as_py()).unlink()
    with pytest.raises(MlopsError, match="orders"):
        run_delta(delta(tmp_path), drop, lake)
    (drop / "orders/_delta_log/00000000000000000000.json").write_text("{")
    refused(SourceQueryError, delta(tmp_path))


def test_a_source_and_its_connection_must_fit(tmp_path: Path) -> None:
    spec = orders_dataset(tmp_path, source=SqlSource(conn_id="shop", query="SELECT :partition"))
    with pytest.raises(TypeError, match="SqlSource is read by Database, not by DeltaStore"):
        open_source(spec, DAY, DeltaStore(str(tmp_path)))


# --- errors


def test_secrets_are_taken_out_of_errors_in_every_form() -> None:
    errors = SourceErrors("orders", "shop", DAY, secrets=("p@ss w/rd",))
    for make in (errors.unavailable, errors.access, errors.query, errors.not_found):
        text = str(make("p@ss w/rd p%40ss%20w%2Frd p%40ss+w%2Frd p%40ss%20w/rd"))
        assert "*** *** *** ***" in text
        assert "ss" not in text.replace("passed", "").split("***")[1]
    assert "p@ss" not in repr(errors)


def test_a_drivers_error_is_not_even_chained() -> None:
    errors = SourceErrors("orders", "shop", DAY)

    def broken() -> None:
        raise OSError("secret")

    with pytest.raises(SourceUnavailableError) as raised:
        attempt(broken, lambda error: errors.unavailable("gone"))
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    with pytest.raises(OSError, match="secret"):
        attempt(broken, lambda error: None)
    assert list(guarded([1, None, 2], lambda error: None)) == [1, None, 2]
