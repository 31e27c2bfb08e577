"""Made-up orders in a PostgreSQL: 20 columns of the kinds that business tables have."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import sqlalchemy as sa

from mlops_tasks.specs import DatasetSpec
from mlops_tasks.specs.source import SqlSource

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DAY", "dataset", "fill", "query"]

DAY = "2024-03-01"

#: Each column's type in the contract, and its value in the n-th row.
_COLUMNS = {
    "order_id": ("string", "'order-' || lpad(n::text, 9, '0')"),
    "fingerprint": ("string", "md5(n::text)"),
    "shop": ("string", "'shop ' || n % 300"),
    "zone": ("string", "(ARRAY['north', 'east', 'south', 'west'])[1 + n % 4]"),
    "note": ("string?", "CASE WHEN n % 5 > 0 THEN 'left at door no. ' || n % 10000 END"),
    "ordered_at": ("timestamp", f"'{DAY} 00:00Z'::timestamptz + n % 86400 * interval '1 second'"),
    "shipped_at": ("timestamp?", f"'{DAY} 12:00Z'::timestamptz + n * interval '1 millisecond'"),
    "due": ("date", f"'{DAY}'::date + n % 9"),
    "items": ("int64", "(n % 12)::int2"),
    "customer": ("int64", "(n * 7919::int8 % 500000)::int4"),
    "points": ("int64", "n * 1000003::int8"),
    "visits": ("int64?", "CASE WHEN n % 7 > 0 THEN (n % 977)::int4 END"),
    "express": ("bool", "n % 3 = 0"),
    "gift": ("bool", "n % 11 = 0"),
    "price": ("float64", "round((n % 99991) / 7.0, 2)::float8"),
    "discount": ("float64", "(n % 20 / 100.0)::float8"),
    "weight": ("float64?", "CASE WHEN n % 13 > 0 THEN sqrt(n) END"),
    "distance": ("float64", "ln(n + 1.0::float8)"),
    "latitude": ("float64", "40 + sin(n)"),
    "longitude": ("float64", "-74 + cos(n)"),
}


def query(table: str) -> str:
    """Return the query for one day of a table."""
    return f"SELECT * FROM {table} WHERE ordered_at >= :start AND ordered_at < :end"  # noqa: S608


def fill(url: sa.URL, table: str, n_rows: int) -> None:
    """Make a table with this number of rows, all of one day.

    Parameters
    ----------
    url : URL
        The database.
    table : str
        Name of the new table.
    n_rows : int
        Rows.
    """
    values = ", ".join(f"{value} AS {name}" for name, (_, value) in _COLUMNS.items())
    rows = f"SELECT {values} FROM generate_series(1, {n_rows}) AS rows(n)"  # noqa: S608
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE UNLOGGED TABLE {table} AS {rows}".replace("%", "%%"))
        # What PostgreSQL does at the first reading of new rows is not paid by whoever comes first.
        connection.exec_driver_sql(f"VACUUM (FREEZE, ANALYZE) {table}")
        connection.exec_driver_sql("CHECKPOINT")


def dataset(folder: Path, table: str) -> DatasetSpec:
    """Return the dataset that a table is the source of.

    Parameters
    ----------
    folder : Path
        Exists; gets the suite.
    table : str
        The table.

    Returns
    -------
    DatasetSpec
        With a contract of 20 columns.
    """
    suite = folder / "orders.json"
    suite.write_text('{"name": "orders", "expectations": []}', encoding="utf-8")
    return DatasetSpec(
        name="orders",
        description="Orders of a day.",
        source=SqlSource(conn_id="shop_source", query=query(table)),
        columns={name: kind for name, (kind, _) in _COLUMNS.items()},
        key=("order_id",),
        expectations=suite,
        start=date.fromisoformat(DAY),
    )
