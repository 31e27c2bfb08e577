"""A small model project of made-up orders: will a delivery be late, asked when it is ordered?

Three datasets as in a real project: what is known when asked (`orders`), readings joined as of that
moment (`traffic`), and the truth two nights later (`deliveries`). Every row follows from its day
and a seed. All files of the project are written below a folder of the test's own, so that a test
may change any of them.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlops_tasks.lake import overwrite_partition
from mlops_tasks.specs import (
    DatasetSpec,
    DriftSpec,
    GateSpec,
    InputSpec,
    LabelSpec,
    ModelSpec,
    PerformanceSpec,
    RetrainSpec,
)
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.specs.source import SqlSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sklearn.pipeline import Pipeline

    from mlops_tasks.lake import Lake

FIRST = date(2024, 3, 1)
ROWS_PER_DAY = 80
SHOPS = ("bakery", "florist", "grocer", "pharmacy")

FEATURES_SQL = """
    SELECT
        o.order_id,
        o.ordered_at AS asked_at,
        t.observed_at AS traffic_observed_at,
        o.shop,
        o.items,
        o.distance,
        o.express,
        t.speed
    FROM orders AS o
    ASOF LEFT JOIN traffic AS t ON o.zone = t.zone AND o.ordered_at > t.observed_at
"""

SUITES: dict[str, list[dict[str, Any]]] = {
    "orders": [
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 3}},
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "distance", "min_value": 0, "max_value": 100},
        },
        {
            "type": "expect_column_values_to_match_regex",
            "kwargs": {"column": "shop", "regex": "^[a-z]+$"},
        },
    ],
    "traffic": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "speed", "min_value": 0, "max_value": 200},
        }
    ],
    "deliveries": [
        {
            "type": "expect_column_mean_to_be_between",
            "kwargs": {"column": "minutes_late", "min_value": -100, "max_value": 100},
        }
    ],
}


def day(number: int) -> str:
    """Return the partition key of the n-th day, from 0."""
    return (FIRST + timedelta(days=number)).isoformat()


def write_suite(folder: Path, name: str, expectations: Sequence[dict[str, Any]]) -> Path:
    """Write one suite; severity is critical where an expectation does not say."""
    path = folder / f"{name}.json"
    full = [{"severity": "critical", **item} for item in expectations]
    path.write_text(json.dumps({"name": name, "expectations": full}))
    return path


def of_day(table: str, day_column: str, columns: str = "*") -> SqlSource:
    """Return the source that reads one day of a table."""
    query = f"SELECT {columns} FROM {table} WHERE {day_column} = :partition"
    return SqlSource(conn_id="shop_source", query=query)


def orders_dataset(folder: Path, **changes: Any) -> DatasetSpec:
    """Return the dataset of orders, with the given fields changed."""
    fields: dict[str, Any] = {
        "name": "orders",
        "description": "Orders as they come in.",
        "source": of_day(
            "orders", "order_date", "order_id, ordered_at, zone, shop, items, distance, express"
        ),
        "columns": {
            "order_id": "string",
            "ordered_at": "timestamp",
            "zone": "string",
            "shop": "string?",
            "items": "int64",
            "distance": "float64?",
            "express": "bool",
        },
        "key": ("order_id",),
        "expectations": write_suite(folder, "orders", SUITES["orders"]),
        "start": FIRST,
    }
    return DatasetSpec(**fields | changes)


def traffic_dataset(folder: Path, **changes: Any) -> DatasetSpec:
    """Return the dataset of hourly traffic readings."""
    fields: dict[str, Any] = {
        "name": "traffic",
        "description": "Hourly traffic readings.",
        "source": of_day("traffic", "reading_date", "zone, observed_at, speed"),
        "columns": {"zone": "string", "observed_at": "timestamp", "speed": "float64?"},
        "key": ("zone", "observed_at"),
        "expectations": write_suite(folder, "traffic", SUITES["traffic"]),
        "start": FIRST,
    }
    return DatasetSpec(**fields | changes)


def deliveries_dataset(folder: Path, **changes: Any) -> DatasetSpec:
    """Return the dataset of labels."""
    fields: dict[str, Any] = {
        "name": "deliveries",
        "description": "How late orders were delivered.",
        "source": of_day("deliveries", "order_date", "order_id, minutes_late, delivered_at"),
        "columns": {
            "order_id": "string",
            "minutes_late": "float64?",
            "delivered_at": "timestamp",
        },
        "key": ("order_id",),
        "expectations": write_suite(folder, "deliveries", SUITES["deliveries"]),
        "start": FIRST,
        "delay": "2d",
        "refresh_after": "5d",
    }
    return DatasetSpec(**fields | changes)


def project(folder: Path, *, features_sql: str | None = FEATURES_SQL, **changes: Any) -> ModelSpec:
    """Write the whole project below `folder` and return its spec, with the given fields changed."""
    folder.mkdir(parents=True, exist_ok=True)
    sql = folder / "features.sql"
    sql.write_text(features_sql or "")
    fields: dict[str, Any] = {
        "name": "late_orders",
        "description": "Will this order arrive late?",
        "inputs": (
            InputSpec(dataset=orders_dataset(folder)),
            InputSpec(dataset=traffic_dataset(folder), lookback="1d"),
        ),
        "label": LabelSpec(dataset=deliveries_dataset(folder), target="minutes_late > 10"),
        "features_sql": None if features_sql is None else sql,
        "as_of": "asked_at",
        "observed_at": ("traffic_observed_at",),
        "categorical": ("shop",),
        "numeric": ("items", "distance", "express", "speed"),
        "estimator": "tests.unit.orders:build",
        "random_state": 7,
        "train": "10d",
        "evaluation": "4d",
        "embargo": "0d",
        "gate": GateSpec(n_bootstrap=100),
        "drift": DriftSpec(window="3d", min_rows=100),
        "performance": PerformanceSpec(window="3d", min_rows=100),
        "retrain": RetrainSpec(cooldown="3d", max_age="20d"),
    }
    return ModelSpec(**fields | changes)


def build(*, categorical: Sequence[str], numeric: Sequence[str], random_state: int) -> Pipeline:
    """Return a small estimator of the kind people use: encoder, then trees."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import TargetEncoder

    folds = StratifiedKFold(5, shuffle=True, random_state=random_state)
    encode = ColumnTransformer(
        [
            ("categories", TargetEncoder(cv=folds), list(categorical)),
            ("numbers", "passthrough", list(numeric)),
        ]
    )
    trees = RandomForestClassifier(20, min_samples_leaf=15, random_state=random_state)
    return Pipeline([("encode", encode), ("trees", trees)])


def build_blind(*, categorical: Sequence[str], numeric: Sequence[str], random_state: int) -> Any:
    """Return an estimator that learns nothing, to lose against any other."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def build_regressor(
    *, categorical: Sequence[str], numeric: Sequence[str], random_state: int
) -> Pipeline:
    """Return the same for a number."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = ColumnTransformer(
        [
            ("categories", OneHotEncoder(handle_unknown="ignore"), list(categorical)),
            ("numbers", "passthrough", list(numeric)),
        ]
    )
    trees = RandomForestRegressor(20, min_samples_leaf=15, random_state=random_state)
    return Pipeline([("encode", encode), ("trees", trees)])


#: By problem type, what a project of it changes: minutes late as a number, and as three classes.
OTHER_TARGETS = {
    "regression": ("minutes_late", "tests.unit.orders:build_regressor"),
    "multiclass": (
        "CASE WHEN minutes_late > 10 THEN 'Late' WHEN minutes_late < -5 THEN 'early' "
        "ELSE 'on time' END",
        "tests.unit.orders:build",
    ),
}


def project_of(folder: Path, problem_type: str, **changes: Any) -> ModelSpec:
    """Write the project with a target of another kind."""
    spec = project(folder)
    target, estimator = OTHER_TARGETS[problem_type]
    fields = {
        "problem_type": problem_type,
        "label": LabelSpec(dataset=spec.label.dataset, target=target),
        "estimator": estimator,
    }
    return project(folder, **fields | changes)


def rows_of(number: int, *, n: int = ROWS_PER_DAY, slower: float = 0.0) -> dict[str, pa.Table]:
    """Make the rows of one day, by dataset; `slower` takes that much off every traffic speed."""
    random = np.random.default_rng([41, number])
    midnight = datetime.combine(FIRST + timedelta(days=number), datetime.min.time(), UTC)
    hours = [midnight + timedelta(hours=h, minutes=30) for h in range(24)]
    speeds = {zone: random.normal(60 - slower, 15, 24).clip(5, 150) for zone in ("north", "south")}
    zones = random.choice(["north", "south"], n)
    minutes = np.sort(random.integers(0, 24 * 60, n))  # the first ones see the day before
    shops = random.choice(SHOPS, n)
    items = random.integers(1, 9, n)
    distance = random.gamma(2.0, 4.0, n).clip(0, 90).round(2)
    express = random.random(n) < 0.3
    speed = np.array([speeds[z][(m - 31) // 60] for z, m in zip(zones, minutes, strict=True)])
    logit = (
        0.35 * (distance - 8)
        + 0.05 * (60 - speed)
        + 0.9 * (shops == "florist")
        - 1.2 * express
        - 0.8
    )
    late = random.random(n) < 1 / (1 + np.exp(-logit))
    minutes_late = np.where(late, random.uniform(11, 60, n), random.uniform(-20, 9, n)).round(1)
    ordered_at = [midnight + timedelta(minutes=int(m)) for m in minutes]
    ids = [f"{day(number)}/{i}" for i in range(n)]
    return {
        "orders": pa.table(
            {
                "order_id": pa.array(ids, pa.string()),
                "ordered_at": pa.array(ordered_at, pa.timestamp("us", tz="UTC")),
                "zone": pa.array(zones.tolist(), pa.string()),
                "shop": pa.array(shops.tolist(), pa.string()),
                "items": pa.array(items, pa.int64()),
                "distance": distance,
                "express": express,
            }
        ),
        "traffic": pa.table(
            {
                "zone": ["north"] * 24 + ["south"] * 24,
                "observed_at": pa.array(hours * 2, pa.timestamp("us", tz="UTC")),
                "speed": np.concatenate([speeds["north"], speeds["south"]]).round(1),
            }
        ),
        "deliveries": pa.table(
            {
                "order_id": pa.array(ids, pa.string()),
                "minutes_late": minutes_late,
                "delivered_at": pa.array(
                    [t + timedelta(hours=3) for t in ordered_at], pa.timestamp("us", tz="UTC")
                ),
            }
        ),
    }


def fill_lake(lake: Lake, spec: ModelSpec, numbers: Iterable[int], **changes: Any) -> None:
    """Publish the rows of some days, as the validate step would."""
    for number in numbers:
        rows = rows_of(number, **changes)
        for dataset in spec.datasets:
            table = rows[dataset.name].cast(arrow_schema(dataset))
            token = int.from_bytes(np.random.default_rng().bytes(3)) + 1
            overwrite_partition(
                lake.table(dataset.name), day(number), table, token=token, known_at=day(number)
            )


class Source:
    """A source database of the orders project: a real SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run(
            "CREATE TABLE orders (order_date, order_id, ordered_at, zone, shop, items, distance,"
            " express)",
            "CREATE TABLE traffic (reading_date, zone, observed_at, speed)",
            "CREATE TABLE deliveries (order_date, order_id, minutes_late, delivered_at)",
        )

    @property
    def url(self) -> str:
        """Address for SQLAlchemy, read-only as the hook opens it."""
        return f"sqlite:///file:{self.path}?mode=ro&uri=true"

    def run(self, *statements: str) -> None:
        """Run statements on the database, as its owner would."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def add(self, number: int, **changes: Any) -> None:
        """Insert the rows of one day."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for table, rows in rows_of(number, **changes).items():
                values = [
                    (day(number), *(_cell(value) for value in row.values()))
                    for row in rows.to_pylist()
                ]
                marks = ", ".join("?" * len(values[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)


def _cell(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value
