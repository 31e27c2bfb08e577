"""A table as a source: SQLite's forms of times, names, and errors where it cannot be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from mlops_tasks.exceptions import EmptyPartitionError, SourceQueryError, SpecError
from mlops_tasks.sources import Database, Request
from mlops_tasks.sources.sqlalchemy import SqlAlchemyReader
from mlops_tasks.sources.tables import INSTANTS, LOCAL_TIMES, DayOfTable
from mlops_tasks.specs import DatasetSpec
from mlops_tasks.specs.source import SqlSource
from mlops_tasks.steps.ingest import ingest

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake

DAY = "2024-03-01"
# One moment before the day in New York, its first, its last, and the next one after it.
LOCAL = ("2024-02-29 23:59:59", "2024-03-01 00:00:00", "2024-03-01 23:59:59", "2024-03-02 00:00:00")
UTC = ("2024-03-01 04:59:59", "2024-03-01 05:00:00", "2024-03-02 04:59:59", "2024-03-02 05:00:00")


def table(**fields: Any) -> SqlSource:
    return SqlSource(**{"conn_id": "shop", "table": "orders", "time_column": "at"} | fields)


@pytest.mark.parametrize("name", ["orders", "Orders_2", "sales.orders", "shop.dbo.Orders"])
def test_a_table_may_stand_behind_its_schema(name: str) -> None:
    assert table(table=name).table == name


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"query": "SELECT 1 WHERE d = :partition"}, "give either `query`, or `table`"),
        ({"table": None}, "give either `query`, or `table`"),
        ({"time_column": None}, "`table` needs a `time_column`"),
        ({"table": "orders; DROP TABLE orders"}, "table"),
        ({"table": 'or"ders'}, "table"),
        ({"table": "a.b.c.d"}, "table"),
        ({"table": ".orders"}, "table"),
        ({"table": "orders\n"}, "table"),
        ({"time_column": "at OR 1=1"}, "time_column"),
        ({"time_column": "o.at"}, "time_column"),
    ],
)
def test_anything_else_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        table(**fields)


def shop(tmp_path: Path, values: tuple[object, ...], name: str = "orders") -> Database:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f'CREATE TABLE {name} ("order" INTEGER NOT NULL, "at" TEXT, note TEXT)')
        connection.execute(f"CREATE VIEW seen AS SELECT * FROM {name}")
        rows = enumerate(values)
        connection.executemany(f"INSERT INTO {name} VALUES (?, ?, NULL)", rows)
    return Database(sa.make_url(f"sqlite:///file:{path}?mode=ro&uri=true"))


def orders(tmp_path: Path, source: SqlSource, **changes: Any) -> DatasetSpec:
    suite = tmp_path / "orders.json"
    suite.write_text('{"name": "orders", "expectations": []}')
    fields: dict[str, Any] = {
        "name": "orders",
        "description": "Orders.",
        "source": source,
        "columns": {"order": "int64", "at": "timestamp", "note": "string?"},
        "key": ("order",),
        "timezone": "America/New_York",
        "expectations": suite,
        "start": date(2024, 3, 1),
    }
    return DatasetSpec(**fields | changes)


def taken(
    tmp_path: Path, lake: Lake, source: SqlSource, shop: Database, **changes: Any
) -> list[Any]:
    ingest(orders(tmp_path, source, **changes), DAY, source=shop, lake=lake, token=1)
    return sorted(lake.table("orders__raw").read(first=DAY, last=DAY).column("order").to_pylist())


@pytest.mark.parametrize("name", ["orders", "seen", "main.orders"])
def test_the_rows_of_a_day_are_taken(tmp_path: Path, lake: Lake, name: str) -> None:
    source = table(table=name)
    assert taken(tmp_path, lake, source, shop(tmp_path, LOCAL)) == [1, 2]


@pytest.mark.parametrize(
    "values",
    [
        LOCAL,
        tuple(value.replace(" ", "T") for value in LOCAL),
        tuple(f"{value}.5" for value in LOCAL),
        tuple(f"{value}Z" for value in UTC),
        tuple(f"{value}+00:00" for value in UTC),
        tuple(f"{value.replace(' ', 'T')}Z" for value in UTC),
        (f"{UTC[0]}.999Z".replace(" ", "T"), *(f"{v}.5Z".replace(" ", "T") for v in UTC[1:])),
        ("2024-02-29", "2024-03-01", "2024-03-01", "2024-03-02"),
    ],
)
def test_a_text_tells_a_time_in_any_form(
    tmp_path: Path, lake: Lake, values: tuple[str, ...]
) -> None:
    options: dict[str, Any] = {}
    if len(values[0]) == len(DAY):
        options["columns"] = {"order": "int64", "at": "date"}
    assert taken(tmp_path, lake, table(), shop(tmp_path, values), **options) == [1, 2]


@pytest.mark.parametrize(
    ("source", "values", "message"),
    [
        (table(table="nowhere"), LOCAL, "there is no table 'nowhere'"),
        (
            table(time_column="when"),
            LOCAL,
            r"no time_column 'when', it has \['order', 'at', 'note'",
        ),
        (table(), (1_709_280_000,), "holds values like '1709280000', neither times nor days"),
        (table(time_column="order"), LOCAL, "holds values like 0, neither"),
        (table(), ("yesterday",), "values like 'yesterday'"),
        (table(), ("2024-03-01 10:00:00+02:00",), "write a `query` that binds :partition"),
        (table(), (None,), "has no rows for 2024-03-01"),
        # one value that is another form than the others, wherever it stands
        (table(), (*UTC, "2024-03-01T12:00:00Z", LOCAL[1]), "in several forms, such as"),
        (table(), (*LOCAL, f"{UTC[1]}Z"), "in several forms, such as"),
        (table(), (f"{UTC[1]}Z", UTC[1].replace(" ", "T") + "Z"), "in several forms, such as"),
        (table(), (*LOCAL, "20240301T130000Z"), "holds values like '20240301T130000Z'"),
        (table(), (*LOCAL, "2024-03-01T23:30:00+01:00"), r"values like '2024-03-01T23:30:00\+01"),
        (table(), (*LOCAL, "2024-03-01 10:00:00 UTC"), "values like '2024-03-01 10:00:00 UTC'"),
        (table(), (*LOCAL, ""), "values like ''"),
        (table(), (*LOCAL, 1_709_280_000.5), "neither times nor days"),
    ],
)
def test_what_tells_no_time_is_named(
    tmp_path: Path, lake: Lake, source: SqlSource, values: tuple[object, ...], message: str
) -> None:
    with pytest.raises(Exception, match=message) as error:
        taken(tmp_path, lake, source, shop(tmp_path, values))
    assert isinstance(error.value, SourceQueryError) or "has no rows" in message
    assert lake.table("orders__raw").partitions() == []


def test_rows_without_a_time_are_counted(tmp_path: Path, lake: Lake) -> None:
    """They belong to no day, so no partition has them."""
    database = shop(tmp_path, (None, *LOCAL, None, None))
    spec = orders(tmp_path, table())
    result = ingest(spec, DAY, source=database, lake=lake, token=1)
    assert (result.raw.n_rows, result.notes) == (
        2,
        ("3 rows of table 'orders' belong to no day, their 'at' is no time: not taken",),
    )
    with pytest.raises(EmptyPartitionError, match="3 rows of table 'orders' belong to no day"):
        ingest(spec, "2024-05-01", source=database, lake=lake, token=2)


def test_a_name_that_is_a_word_of_sql_is_quoted(tmp_path: Path, lake: Lake) -> None:
    database = shop(tmp_path, LOCAL, name='"group"')
    assert taken(tmp_path, lake, table(table="group"), database) == [1, 2]


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [
        (sa.TIMESTAMP(timezone=True), INSTANTS),
        (sa.DateTime(), LOCAL_TIMES),
        (sa.Date(), LOCAL_TIMES),
    ],
)
def test_other_databases_declare_what_a_column_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, bounds: tuple[str, str]
) -> None:
    assert asked(tmp_path, monkeypatch, kind) == bounds


def test_a_column_that_is_declared_no_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceQueryError, match=r"table 'sales\.orders' holds INTEGER, neither"):
        asked(tmp_path, monkeypatch, sa.Integer())


def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any) -> tuple[str, str]:
    class Inspector:
        def get_columns(self, name: str, schema: str | None) -> list[dict[str, Any]]:
            assert (name, schema) == ("orders", "sales")
            return [{"name": "at", "type": kind}]

    monkeypatch.setattr(sa, "inspect", lambda _: Inspector())
    connection: Any = SimpleNamespace()
    return reader(tmp_path).bounds(connection, DayOfTable("sales.orders", "at"))


def reader(tmp_path: Path) -> SqlAlchemyReader:
    request = Request.of(orders(tmp_path, table()), DAY)
    return SqlAlchemyReader(sa.make_url("mssql+pymssql://db/shop"), request)


def test_a_view_declares_nothing(tmp_path: Path) -> None:
    engine = sa.create_engine(shop(tmp_path, ()).url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        declared = [
            reader(tmp_path).never_null(connection, DayOfTable(name, "at"))
            for name in ("orders", "seen")
        ]
    assert declared == [{"order"}, None]
