"""Ten days of made-up orders in a lake, and a model project that reads them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from mlops_tasks.lake import overwrite_partition
from mlops_tasks.specs import DatasetSpec, InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.specs.source import SqlSource

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from mlops_tasks.lake import Lake

__all__ = ["FIRST", "LAST", "N_DAYS", "fill", "project"]

N_DAYS = 10
FIRST, LAST = "2024-03-01", "2024-03-10"

#: Each column's type in the contract, and its value in the n-th row.
_ORDERS = {
    "order_id": ("string", "'order-' || lpad(n::VARCHAR, 9, '0')"),
    "fingerprint": ("string", "md5(n::VARCHAR)"),
    "shop": ("string", "'shop ' || n % 300"),
    "zone": ("string", "['north', 'east', 'south', 'west'][1 + n % 4]"),
    "note": ("string?", "CASE WHEN n % 5 > 0 THEN 'left at door no. ' || n % 10000 END"),
    "ordered_at": ("timestamp", "{day} + to_seconds(n % 86400)"),
    "shipped_at": ("timestamp?", "{day} + to_seconds(n % 172801)"),
    "due": ("date", "({day} + to_days((n % 9)::INTEGER))::DATE"),
    "items": ("int64", "n % 12"),
    "customer": ("int64", "n * 7919 % 500000"),
    "points": ("int64", "n * 1000003"),
    "visits": ("int64?", "CASE WHEN n % 7 > 0 THEN n % 977 END"),
    "express": ("bool", "n % 3 = 0"),
    "gift": ("bool", "n % 11 = 0"),
    "price": ("float64", "round((n % 99991) / 7.0, 2)::DOUBLE"),
    "discount": ("float64", "(n % 20 / 100.0)::DOUBLE"),
    "weight": ("float64?", "CASE WHEN n % 13 > 0 THEN sqrt(n) END"),
    "distance": ("float64", "ln(n + 1.0::DOUBLE)"),
    "latitude": ("float64", "40 + sin(n)"),
    "longitude": ("float64", "-74 + cos(n)"),
}
_TRAFFIC = {
    "zone": ("string", "['north', 'east', 'south', 'west'][1 + n % 4]"),
    "observed_at": ("timestamp", "{day} + to_seconds((n // 4) * 900 + 7)"),
    "speed": ("float64", "60 + 20 * sin(n)"),
}
_LATE = {"order_id": ("string", "''"), "late": ("int64", "0")}
_N_TRAFFIC = 4 * 96

FEATURES_SQL = """
    SELECT o.order_id, o.ordered_at AS asked_at, t.observed_at AS seen_at, o.shop, o.zone,
        o.items, o.price, o.discount, o.weight, o.distance, t.speed,
        hour(o.ordered_at) AS hour_of_day
    FROM orders AS o
    ASOF LEFT JOIN traffic AS t ON o.zone = t.zone AND o.ordered_at > t.observed_at
"""


def project(folder: Path) -> ModelSpec:
    """Write the project's files below a folder and return its spec."""
    sql = folder / "features.sql"
    sql.write_text(FEATURES_SQL, encoding="utf-8")
    return ModelSpec(
        name="late_orders",
        description="Will this order arrive late?",
        inputs=(
            InputSpec(dataset=_dataset(folder, "orders", _ORDERS, ("order_id",))),
            InputSpec(dataset=_dataset(folder, "traffic", _TRAFFIC, ("zone", "observed_at"))),
        ),
        label=LabelSpec(dataset=_dataset(folder, "late", _LATE, ("order_id",)), target="late > 0"),
        features_sql=sql,
        as_of="asked_at",
        observed_at=("seen_at",),
        categorical=("shop", "zone"),
        numeric=("items", "price", "discount", "weight", "distance", "speed", "hour_of_day"),
        estimator="sklearn.dummy:DummyClassifier",
        random_state=1,
    )


def fill(lake: Lake, folder: Path, n_rows: int) -> None:
    """Put orders, spread over the days, and a reading per zone and quarter into a lake."""
    spec = project(folder)
    for number in range(N_DAYS):
        day = (date.fromisoformat(FIRST) + timedelta(days=number)).isoformat()
        share = n_rows // N_DAYS
        for item, columns, first, n in (
            (spec.inputs[0], _ORDERS, number * share, share),
            (spec.inputs[1], _TRAFFIC, 0, _N_TRAFFIC),
        ):
            rows = _rows(item.dataset, columns, day, first, n)
            overwrite_partition(lake.table(item.dataset.name), day, rows, token=1, known_at=day)


def _rows(
    dataset: DatasetSpec, columns: dict[str, tuple[str, str]], day: str, first: int, n: int
) -> pa.RecordBatchReader:
    import duckdb
    import pyarrow as pa

    schema = arrow_schema(dataset)
    at = f"TIMESTAMPTZ '{day} 00:00:00+00'"
    values = ", ".join(f"{sql.format(day=at)} AS {name}" for name, (_, sql) in columns.items())
    query = f"SELECT {values} FROM range({first}, {first + n}) AS rows(n)"  # noqa: S608
    reader = duckdb.connect().sql(query).to_arrow_reader(100_000)
    batches = (pa.Table.from_batches([batch]).cast(schema).to_batches()[0] for batch in reader)
    return pa.RecordBatchReader.from_batches(schema, batches)


def _dataset(
    folder: Path, name: str, columns: dict[str, tuple[str, str]], key: tuple[str, ...]
) -> DatasetSpec:
    suite = folder / f"{name}.json"
    suite.write_text(f'{{"name": "{name}", "expectations": []}}', encoding="utf-8")
    return DatasetSpec(
        name=name,
        description=f"Made-up {name}.",
        source=SqlSource(conn_id="made_up", query=f"SELECT * FROM {name} WHERE day = :partition"),  # noqa: S608
        columns={column: kind for column, (kind, _) in columns.items()},
        key=key,
        expectations=suite,
        start=date.fromisoformat(FIRST),
    )
