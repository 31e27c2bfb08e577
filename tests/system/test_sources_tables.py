"""A table as the source: the same day out of every database, and what each declares never null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from mlops_tasks.exceptions import MlopsError, SchemaMismatchError, SourceQueryError
from mlops_tasks.lake import Lake
from mlops_tasks.sources import Database
from mlops_tasks.specs.source import SqlSource
from mlops_tasks.steps.ingest import ingest
from tests.system import servers
from tests.system.extraction import DAY, dataset, peak_memory_mb, wide_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_tasks.specs import DatasetSpec

ZONE = "America/New_York"
# The last moment of the day before in New York, the first and last of the day, and the next.
INSTANTS = (
    "2024-03-01 04:59:59.999999",
    "2024-03-01 05:00:00",
    "2024-03-02 04:59:59.999999",
    "2024-03-02 05:00:00",
)
LOCAL = (
    "2024-02-29 23:59:59.999999",
    "2024-03-01 00:00:00",
    "2024-03-01 23:59:59.999999",
    "2024-03-02 00:00:00",
)
DATES = ("2024-02-29", "2024-03-01", "2024-03-01", "2024-03-02")


@dataclass(frozen=True)
class Shop:
    """A database with one table of orders, whose time columns all say the same."""

    database: Database
    schema: str
    kinds: dict[str, str]
    loosen: str

    def run(self, *statements: str) -> None:
        """Run statements as the table's owner."""
        engine = sa.create_engine(self.database.url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement.replace(":", "\\:")))

    def fill(self) -> None:
        """Make the table and a view of it anew."""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.kinds.items())
        zoned = [f"{text}+00" for text in INSTANTS] if "zone" in self.kinds["at"] else INSTANTS
        rows = zip("abcd", zoned, LOCAL, DATES, strict=True)
        values = ", ".join(
            f"('{key}', '{at}', '{local}', '{day}', 1, '{day}')" for key, at, local, day in rows
        )
        quote = "`" if self.database.url.get_backend_name() == "mysql" else '"'
        name = f"{quote}order{quote}"
        self.run(
            "DROP VIEW IF EXISTS seen",
            f"DROP TABLE IF EXISTS {name}",
            f"CREATE TABLE {name} ({columns}, items int NOT NULL, due text)",
            f"INSERT INTO {name} VALUES {values}",
            f"CREATE VIEW seen AS SELECT * FROM {name}",
        )


def _url(server: servers.Server, scheme: str) -> sa.URL:
    return sa.URL.create(
        scheme, servers.USER, servers.PASSWORD, server.host, server.port, server.database
    )


@pytest.fixture(scope="module")
def postgres() -> Iterator[Shop]:
    pytest.importorskip("psycopg2", reason="psycopg2 is missing: install the extra `postgres`")
    kinds = {
        "id": "text NOT NULL",
        "at": "timestamp with time zone NOT NULL",
        "shown": "timestamp",
        "day": "date",
    }
    loosen = 'ALTER TABLE "order" ALTER COLUMN items DROP NOT NULL'
    with servers.postgres() as server:
        yield Shop(Database(_url(server, "postgresql+psycopg2")), "public", kinds, loosen)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[Shop]:
    kinds = {
        "id": "varchar(20) NOT NULL",
        "at": "timestamp(6) NOT NULL",
        "shown": "datetime(6)",
        "day": "date",
    }
    loosen = "ALTER TABLE `order` MODIFY items int NULL"
    with servers.mariadb() as server:
        url = _url(server, "mysql+pymysql").update_query_dict({"init_command": UTC})
        yield Shop(Database(url), server.database, kinds, loosen)


UTC = "SET time_zone = '+00:00'"
READERS = ("adbc", "sqlalchemy", "mariadb")


@pytest.fixture(params=READERS)
def shop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Shop:
    if request.param == "sqlalchemy":
        monkeypatch.setattr("mlops_tasks.sources.postgres.has_adbc", lambda: False)
    name = "mariadb" if request.param == "mariadb" else "postgres"
    made: Shop = request.getfixturevalue(name)
    made.fill()
    return made


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def orders(tmp_path: Path, time_column: str, table: str = "order", **changes: Any) -> DatasetSpec:
    columns = {"id": "string", "at": "timestamp", "shown": "timestamp?", "day": "date?"}
    source = SqlSource(conn_id="shop_source", table=table, time_column=time_column)
    fields = {"columns": {**columns, "items": "int64"}, "key": ("id",), "timezone": ZONE}
    return dataset(tmp_path, source, **fields | changes)


def take(spec: DatasetSpec, shop: Shop, lake: Lake, *, day: str = DAY, token: int = 1) -> list[Any]:
    ingest(spec, day, source=shop.database, lake=lake, token=token)
    return lake.table("orders__raw").read(first=day, last=day).sort_by("id").to_pylist()


@pytest.mark.parametrize("time_column", ["at", "shown", "day"])
@pytest.mark.parametrize("table", ["order", "seen"])
def test_the_day_is_taken_by_instants_local_times_and_days(
    tmp_path: Path, shop: Shop, lake: Lake, time_column: str, table: str
) -> None:
    rows = take(orders(tmp_path, time_column, f"{shop.schema}.{table}"), shop, lake)
    assert [row["id"] for row in rows] == ["b", "c"]
    assert all(row["at"].astimezone(ZoneInfo(ZONE)).date().isoformat() == DAY for row in rows)
    assert [row["due"] for row in rows] == [DAY, DAY], "columns beyond the contract are kept"


@pytest.mark.parametrize(
    ("time_column", "table", "message"),
    [
        ("due", "order", "time_column 'due' of table 'order' holds"),
        ("items", "order", "neither times nor days; write a `query`"),
        ("nowhere", "order", "nowhere"),
        ("at", "nowhere", "nowhere"),
        ("at", "no_schema.order", "no_schema"),
    ],
)
def test_what_cannot_tell_the_day_is_named(
    tmp_path: Path, shop: Shop, lake: Lake, time_column: str, table: str, message: str
) -> None:
    with pytest.raises(MlopsError, match=message) as error:
        take(orders(tmp_path, time_column, table), shop, lake)
    assert isinstance(error.value, SourceQueryError) or table == "no_schema.order"
    assert servers.PASSWORD not in str(error.value)


def test_a_constraint_that_is_dropped_stops_the_run(tmp_path: Path, shop: Shop, lake: Lake) -> None:
    spec = orders(tmp_path, "at")
    assert len(take(spec, shop, lake)) == 2
    shop.run(shop.loosen)
    with pytest.raises(SchemaMismatchError) as error:
        take(spec, shop, lake, day="2024-03-02", token=2)
    assert "column 'items': the contract says 'int64', never null; the source declared" in str(
        error.value
    )
    assert "'id'" not in str(error.value)
    assert lake.table("orders__raw").partitions() == [DAY]
    meant = orders(tmp_path, "at", columns={**spec.columns, "items": "int64?"})
    assert len(take(meant, shop, lake, day="2024-03-02", token=3)) == 1


def test_a_view_declares_nothing(tmp_path: Path, shop: Shop, lake: Lake) -> None:
    """But MariaDB says of a view's columns what it knows of the table's."""
    take(orders(tmp_path, "at", "seen"), shop, lake)
    told = (lake.root / "_declared" / "orders.json").exists()
    assert told == (shop.schema != "public")


@pytest.mark.slow
def test_memory_does_not_grow_with_what_mariadb_sends(tmp_path: Path, mariadb: Shop) -> None:
    """100,000 rows more, of 20 values each: held as objects of Python they would take 120 MB."""
    peaks = {}
    for n_rows in (30_000, 130_000):
        query, columns = wide_query("mysql", n_rows)
        folder, url = tmp_path / str(n_rows), mariadb.database.url
        peaks[n_rows] = peak_memory_mb(folder, url, query, columns, n_rows)
    assert peaks[130_000] - peaks[30_000] < 60, peaks
