"""Columns that a source calls otherwise than the contract, by `rename` and by a file's `query`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from deltalake import write_deltalake
from pyarrow import fs

from mlops_tasks.exceptions import (
    MlopsError,
    SchemaMismatchError,
    SourceQueryError,
    SpecError,
)
from mlops_tasks.lake import Lake
from mlops_tasks.sources import Database, DeltaStore, FileStore
from mlops_tasks.specs import DatasetSpec, DeltaSource, FileSource, SqlSource
from mlops_tasks.steps.ingest import ingest
from tests.unit.orders import write_suite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.steps.ingest import IngestResult

DAY = "2024-03-01"
COLUMNS = {"order_id": "int64", "ordered_at": "timestamp?", "note": "string?"}
NAMES = {"Order ID": "order_id", "orderedAt": "ordered_at", "x.y": "note"}
AT = datetime(2024, 3, 1, 9, tzinfo=UTC)
CSV = "Order ID,orderedAt,x.y\n1,2024-03-01T09:00:00Z,\n2,,two\n"
TABLE = pa.table(
    {
        "Order ID": pa.array([1, 2], pa.int32()),
        "orderedAt": pa.array([AT, None], pa.timestamp("ns", tz="UTC")),
        "x.y": [None, "two"],
    }
)
LINES = [
    {"Order ID": 1, "orderedAt": "2024-03-01T09:00:00Z"},
    {"Order ID": 2, "x.y": "two"},
]


def dataset(folder: Path, source: Any, **changes: Any) -> DatasetSpec:
    fields: dict[str, Any] = {
        "name": "orders",
        "description": "Orders.",
        "source": source,
        "columns": COLUMNS,
        "key": ("order_id",),
        "expectations": write_suite(folder, "orders", []),
        "start": date(2024, 1, 1),
    }
    return DatasetSpec(**fields | changes)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def take(tmp_path: Path, lake: Lake) -> Callable[..., pa.Table]:
    """Take in the files of a day; give its rows, ordered by key."""

    tokens = count(1)

    def run(content: dict[str, Any], *, query: str | None = None, **changes: Any) -> pa.Table:
        folder = tmp_path / "drop" / DAY
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in content.items():
            if isinstance(value, pa.Table):
                pq.write_table(value, folder / name)
            else:
                (folder / name).write_text(value)
        kind = next(iter(content)).rpartition(".")[2]
        source = FileSource(conn_id="drop", path="{partition}/*", format=kind, query=query)
        store = FileStore(fs.LocalFileSystem(), str(tmp_path / "drop"))
        run.result = ingest(  # type: ignore[attr-defined]
            dataset(tmp_path, source, **changes), DAY, source=store, lake=lake, token=next(tokens)
        )
        return rows(lake)

    return run


def rows(lake: Lake) -> pa.Table:
    return lake.table("orders__raw").read(first=DAY, last=DAY).sort_by("order_id")


def expected(found: pa.Table) -> None:
    assert found.schema.names == list(COLUMNS)
    assert found.to_pydict() == {
        "order_id": [1, 2],
        "ordered_at": [AT, None],
        "note": [None, "two"],
    }


# --- rename


@pytest.mark.parametrize(
    "content",
    [
        {"a.csv": CSV},
        {"a.jsonl": "\n".join(map(json.dumps, LINES))},
        {"a.parquet": TABLE},
    ],
)
def test_files_keep_their_names(take: Callable[..., pa.Table], content: dict[str, Any]) -> None:
    expected(take(content, rename=NAMES))
    expected(take(content, rename=NAMES))  # the table is there, with the contract's names


def test_a_database_table_keeps_its_names(tmp_path: Path, lake: Lake) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as shop, shop:
        shop.execute('CREATE TABLE orders ("Order ID", orderedAt, "x.y", day)')
        shop.execute(f"INSERT INTO orders VALUES (1, '{DAY}T09:00:00Z', NULL, '{DAY}')")
        shop.execute(f"INSERT INTO orders VALUES (2, NULL, 'two', '{DAY}')")
    source = SqlSource(conn_id="shop", table="orders", time_column="day")
    spec = dataset(tmp_path, source, rename=NAMES, extra_columns="ignore")
    database = Database(sa.make_url(f"sqlite:///{path}"))
    ingest(spec, DAY, source=database, lake=lake, token=1)
    expected(rows(lake))


@pytest.mark.parametrize("query", [None, 'SELECT "Order ID" order_id, orderedAt ordered_at,'
                                   ' "x.y" note FROM rows'])  # fmt: skip
def test_a_delta_table_keeps_its_names(tmp_path: Path, lake: Lake, query: str | None) -> None:
    times = TABLE.column("orderedAt").cast(pa.timestamp("us", tz="UTC"))
    table = TABLE.set_column(1, "orderedAt", times).append_column("day", pa.array([DAY, DAY]))
    write_deltalake(str(tmp_path / "landing"), table)
    source = DeltaSource(conn_id="landing", path="landing", time_column="day", query=query)
    names = {} if query else {"rename": NAMES}
    spec = dataset(tmp_path, source, extra_columns="ignore", **names)
    ingest(spec, DAY, source=DeltaStore(str(tmp_path)), lake=lake, token=1)
    expected(rows(lake))


def test_a_value_that_is_none_is_reported_under_the_name_in_the_file(
    take: Callable[..., pa.Table],
) -> None:
    with pytest.raises(SchemaMismatchError, match=r"'Order ID': the contract says 'int64'.*'1\.0'"):
        take({"a.csv": CSV.replace("\n1,", "\n1.0,")}, rename=NAMES)


def test_empty_text_stays_where_the_contract_lets_it_never_be_null(
    take: Callable[..., pa.Table],
) -> None:
    found = take({"a.csv": CSV}, rename=NAMES, columns=COLUMNS | {"note": "string"})
    assert found.column("note").to_pylist() == ["", "two"]


def test_a_name_that_differs_in_its_spelling_alone_is_proposed(
    take: Callable[..., pa.Table],
) -> None:
    with pytest.raises(SchemaMismatchError, match=r"rename=\{'Order ID': 'order_id', 'orderedAt'"):
        take({"a.csv": CSV})


def test_a_column_of_the_old_name_is_not_read_again(take: Callable[..., pa.Table]) -> None:
    take({"a.csv": "order_id,ordered_at,note,remark\n1,,,a\n"})
    found = take({"a.csv": "order_id,ordered_at,remark\n1,,b\n"}, rename={"remark": "note"})
    assert found.to_pylist() == [{"order_id": 1, "ordered_at": None, "note": "b", "remark": None}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rename": {"Order ID": "order"}}, "rename gives ['order'], which the contract"),
        ({"rename": {"a": "note", "b": "note"}}, "rename gives ['note'] more than once"),
        (
            {"source": SqlSource(conn_id="x", query="SELECT :partition"), "rename": {"a": "note"}},
            "the source's query names its columns",
        ),
        (
            {
                "source": FileSource(conn_id="x", path="{partition}", query="FROM rows"),
                "rename": {"a": "note"},
            },
            "the source's query names its columns",
        ),
    ],
)
def test_a_wrong_mapping_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    fields = {"source": FileSource(conn_id="x", path="{partition}")} | changes
    with pytest.raises(SpecError) as error:
        dataset(tmp_path, **fields)
    assert message in str(error.value)


# --- a query over the rows


CAST = """
    -- what pandas wrote
    SELECT "Order ID"::DOUBLE::BIGINT AS order_id,
           orderedAt::TIMESTAMPTZ AS ordered_at,
           "x.y" AS note
    FROM rows;
"""


def test_a_query_casts_and_renames_what_pandas_wrote(take: Callable[..., pa.Table]) -> None:
    written = "Order ID,orderedAt,x.y\n1.0,2024-03-01T09:00:00.000000000Z,\n2.0,,two\n"
    expected(take({"a.csv": written}, query=CAST))
    assert take.result.described.endswith("through the query")  # type: ignore[attr-defined]


def test_times_finer_than_microseconds_are_cut_by_the_query_alone(
    take: Callable[..., pa.Table],
) -> None:
    fine = pa.array([int(AT.timestamp()) * 10**9 + 7, None], pa.timestamp("ns", tz="UTC"))
    table = TABLE.set_column(1, "orderedAt", fine)
    with pytest.raises(SchemaMismatchError, match="lose data"):
        take({"a.parquet": table}, query='SELECT "Order ID" order_id, orderedAt ordered_at,'
             ' "x.y" note FROM rows')  # fmt: skip
    expected(take({"a.parquet": table}, query=CAST))


def test_values_of_csv_are_text_and_empty_ones_null(take: Callable[..., pa.Table]) -> None:
    query = """
        SELECT 1 AS order_id, NULL::TIMESTAMPTZ AS ordered_at,
               concat_ws(' ', typeof(a), a, typeof(b), b IS NULL) AS note
        FROM rows
    """
    assert take({"a.csv": "a,b\n007,\n"}, query=query).column("note").to_pylist() == [
        "VARCHAR 007 VARCHAR true"
    ]


def test_json_has_its_own_types_and_mixed_values_as_json(take: Callable[..., pa.Table]) -> None:
    lines = [
        {"id": 9007199254740993, "user": {"name": "Ä", "n": 18446744073709551615}, "v": "a"},
        {"id": 2, "v": [1]},
    ]
    query = """
        SELECT id AS order_id, NULL::TIMESTAMPTZ AS ordered_at,
               concat_ws(' ', typeof(id), "user" ->> 'name', "user" ->> 'n', v) AS note
        FROM rows
    """
    found = take({"a.jsonl": "\n".join(map(json.dumps, lines))}, query=query)
    assert found.column("order_id").to_pylist() == [2, 9007199254740993]
    assert found.column("note").to_pylist() == [
        "BIGINT [1]",
        'BIGINT Ä 18446744073709551615 "a"',
    ]


def test_rows_may_be_named_more_than_once(take: Callable[..., pa.Table]) -> None:
    query = """
        SELECT a.id::BIGINT AS order_id, NULL::TIMESTAMPTZ AS ordered_at, b.x AS note
        FROM rows AS a JOIN rows AS b ON b.id::BIGINT = a.id::BIGINT + 1
    """
    content = {"a.csv": "id,x\n1,a\n2,b\n", "b.csv": "x,id\nc,3\n"}
    assert take(content, query=query).column("note").to_pylist() == ["b", "c"]


def test_a_file_without_a_column_has_null_in_it(take: Callable[..., pa.Table]) -> None:
    query = "SELECT id::BIGINT order_id, NULL::TIMESTAMPTZ ordered_at, x AS note FROM rows"
    content = {"a.csv": "id\n1\n", "b.csv": "id,x\n2,b\n"}
    assert take(content, query=query).column("note").to_pylist() == [None, "b"]


def test_files_of_one_day_have_the_same_types(take: Callable[..., pa.Table]) -> None:
    other = TABLE.set_column(0, "Order ID", pa.array([1.5, 2.5]))
    with pytest.raises(SourceQueryError, match=r"'Order ID' is double in file .*b.parquet"):
        take({"a.parquet": TABLE, "b.parquet": other}, query=CAST)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nothing FROM rows", "line 1, 'SELECT nothing FROM rows': .*nothing"),
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv|file system|disabled"),
        ("SELECT * FROM '/etc/passwd'", "disabled|does not exist"),
        ("SELECT * FROM orders", "does not exist"),
        ("COPY rows TO 'out.csv'", "does not run"),
        ("FROM rows; DROP VIEW rows", "does not run"),
        ("SELECT now() AS ordered_at FROM rows", "now answers otherwise each time"),
        ("SELECT random() AS order_id FROM rows", "random answers otherwise each time"),
        ("-- nothing", "holds no query"),
        ('SELECT "Order ID"::DATE AS order_id FROM rows', "does not run"),
    ],
)
def test_a_query_reads_the_rows_alone_and_always_answers_the_same(
    take: Callable[..., pa.Table], query: str, message: str
) -> None:
    with pytest.raises(SourceQueryError, match=message):
        take({"a.csv": CSV}, query=query)


def test_what_a_query_gives_must_keep_the_contract(take: Callable[..., pa.Table]) -> None:
    with pytest.raises(SchemaMismatchError, match="the contract says 'int64', the source has str"):
        take(
            {"a.csv": CSV}, query='SELECT "Order ID" order_id, NULL ordered_at, NULL note FROM rows'
        )
    with pytest.raises(SchemaMismatchError, match=r"gives no column \['note'\]"):
        take({"a.csv": CSV}, query="SELECT 1 order_id, NULL ordered_at FROM rows")


def test_csv_stays_strict_below_a_query(take: Callable[..., pa.Table]) -> None:
    with pytest.raises(SourceQueryError, match=r"a\.csv.*ends inside a quoted value"):
        take({"a.csv": CSV + '3,,"open'}, query=CAST)
    with pytest.raises(MlopsError, match=r"a\.csv.*Expected 3 columns, got 2"):
        take({"a.csv": CSV + "3,\n"}, query=CAST)


def test_names_that_come_twice_are_not_in_rows(take: Callable[..., pa.Table]) -> None:
    query = "SELECT id::BIGINT order_id, NULL::TIMESTAMPTZ ordered_at, NULL note FROM rows"
    take({"a.csv": "id,x,X\n1,a,b\n"}, query=query)
    result: IngestResult = take.result  # type: ignore[attr-defined]
    assert "columns ['X', 'x'] are not in rows" in result.notes[0]
