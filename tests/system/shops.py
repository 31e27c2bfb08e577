"""The same table of orders in a real PostgreSQL and a real MariaDB, and extractions from it."""

from __future__ import annotations

import contextlib
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from mlops_tasks.lake import Lake
from mlops_tasks.sources import Database
from mlops_tasks.steps.ingest import ingest
from tests.system import servers
from tests.system.extraction import DAY, dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.specs import DatasetSpec

QUERY = "SELECT * FROM orders WHERE ordered_at >= :start AND ordered_at < :end"
# Whatever a person may read must not have it, nor the password of another login.
WRONG_PASSWORD = "wr0ng"


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of database: how it is started, filled and addressed."""

    dialect: str
    driver: str
    start: Callable[[], AbstractContextManager[servers.Server]] = field(repr=False)
    execute: Callable[..., None] = field(repr=False)
    setup: tuple[str, ...] = field(repr=False)
    columns: dict[str, str] = field(repr=False)

    @contextlib.contextmanager
    def filled(self) -> Iterator[servers.Server]:
        """Start a server that has the table of orders."""
        with self.start() as running:
            self.execute(running, *self.setup)
            yield running


@dataclass(frozen=True)
class Shop:
    """A server, and a lake and a folder of one test's own."""

    kind: Kind
    server: servers.Server
    folder: Path

    @property
    def lake(self) -> Lake:
        """Where its orders go."""
        return Lake(self.folder / "lake")

    def database(self, **changes: Any) -> Database:
        """Return the source, with parts of its address changed."""
        fields: dict[str, Any] = {
            "username": servers.USER,
            "password": servers.PASSWORD,
            "host": self.server.host,
            "port": self.server.port,
            "database": self.server.database,
        }
        address = f"{self.kind.dialect}+{self.kind.driver}"
        return Database(sa.URL.create(address, **(fields | changes)))

    def orders(self, query: str = QUERY, **changes: Any) -> DatasetSpec:
        """Return the dataset of orders, with fields changed."""
        fields = {"timezone": "America/New_York", "columns": self.kind.columns} | changes
        fields.setdefault("convert", {"price": "decimal"} if "price" in fields["columns"] else {})
        return dataset(self.folder, query, **fields)

    def take(self, spec: DatasetSpec, **changes: Any) -> list[Any]:
        """Ingest the day and return its rows."""
        ingest(spec, DAY, source=self.database(**changes), lake=self.lake, token=1)
        rows = self.lake.table("orders__raw").read(first=DAY, last=DAY)
        return list(rows.sort_by("order_id").to_pylist())

    def fails(self, error: type[MlopsError], spec: DatasetSpec, **changes: Any) -> str:
        """Ingest in vain; nothing is published, and no password is in what a person may read."""
        with pytest.raises(error) as raised:
            self.take(spec, **changes)
        assert self.lake.table("orders__raw").partitions() == []
        told = "".join(traceback.format_exception(raised.value)) + repr(raised.value.__context__)
        for secret in (servers.PASSWORD, quote(servers.PASSWORD, safe=""), WRONG_PASSWORD):
            assert secret not in told
        return str(raised.value)


def execute_postgres(server: servers.Server, *statements: str) -> None:
    """Run statements as the owner."""
    dbapi = pytest.importorskip(
        "adbc_driver_postgresql.dbapi", reason="install the extra `postgres`"
    )
    address = f"postgresql://{servers.USER}:{quote(servers.PASSWORD, safe='')}@{server.host}"
    address += f":{server.port}/{server.database}"
    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def execute_mariadb(server: servers.Server, *statements: str) -> None:
    """Run statements as the owner."""
    pymysql = pytest.importorskip("pymysql", reason="install the extra `mysql`")
    with pymysql.connect(
        unix_socket=str(server.folder / "sock"),
        user="root",
        database=server.database,
        autocommit=True,
        charset="utf8mb4",
    ) as connection:
        for statement in statements:
            connection.cursor().execute(statement)


_COLUMNS = {
    "order_id": "string",
    "ordered_at": "timestamp",
    "shipped_at": "timestamp?",
    "due": "date?",
    "items": "int64?",
    "distance": "float64?",
    "price": "float64?",
    "express": "bool?",
    "note": "string?",
}

POSTGRES = Kind(
    dialect="postgresql",
    driver="psycopg2",
    start=servers.postgres,
    execute=execute_postgres,
    columns=_COLUMNS,
    setup=(
        "CREATE TYPE mood AS ENUM ('good', 'bad')",
        """
        CREATE TABLE orders (
            order_id varchar PRIMARY KEY, ordered_at timestamptz, shipped_at timestamp, due date,
            items smallint, distance real, price numeric(12, 2), express boolean, note text
        )
        """,
        """
        INSERT INTO orders VALUES
            ('007', '2024-03-01 10:00:00.123456+02', '2024-03-01 09:00', '2024-03-05', 1, 0.5, 1.10,
             true, E'ä → ß 😀\\n"x" 100%'),
            ('NA', '2024-03-01 23:59:59.999999Z', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            ('8', '2024-03-02 00:00Z', '2024-03-02 09:00', '2024-03-02', 2, 1, 2, false, ''),
            ('9', '2024-02-29 23:59:59Z', '2024-02-29 09:00', '2024-02-29', 2, 1, 2, false, '')
        """,
    ),
)

MARIADB = Kind(
    dialect="mysql",
    driver="pymysql",
    start=servers.mariadb,
    execute=execute_mariadb,
    columns=_COLUMNS | {"n": "int64?", "gift": "bool?"},
    setup=(
        """
        CREATE TABLE orders (
            order_id varchar(20) PRIMARY KEY, ordered_at timestamp(6) NULL, shipped_at datetime(6),
            due date, items smallint unsigned, n bigint unsigned, distance double,
            price decimal(12, 2), express tinyint(1), gift bit(1), note text
        ) CHARACTER SET utf8mb4
        """,
        "SET time_zone = '+00:00'",
        """
        INSERT INTO orders VALUES
            ('007', '2024-03-01 08:00:00.123456', '2024-03-01 09:00', '2024-03-05', 1, 1, 0.1, 1.10,
             1, b'1', 'ä → ß 😀\\n"x" 100%'),
            ('NA', '2024-03-01 23:59:59.999999', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
             NULL),
            ('8', '2024-03-02 00:00', '2024-03-02 09:00', '2024-03-02', 2, 2, 1, 2, 0, b'0', ''),
            ('9', '2024-02-29 23:59:59', '2024-02-29 09:00', '2024-02-29', 2, 2, 1, 2, 0, b'0', '')
        """,
    ),
)
