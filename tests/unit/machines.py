"""A small model project at any grain: will a machine fail after its reading?

Readings come every `every` from `FIRST` on; a failure is the more likely the hotter and the older
a machine is. The source is one SQLite file of instants, which every grain cuts as it likes.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

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
from mlops_tasks.specs.source import SqlSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ZONE = "Europe/Berlin"
MACHINES = ("drill", "lathe", "press")

_SQL = "SELECT reading_id, read_at, machine, heat, age FROM readings"


def between(table: str, columns: str) -> SqlSource:
    """Return the source that reads one partition of a table."""
    query = f"SELECT {columns} FROM {table} WHERE read_at >= :start AND read_at < :end"
    return SqlSource(conn_id="plant", query=query)


def dataset(folder: Path, name: str, columns: dict[str, str], **changes: Any) -> DatasetSpec:
    """Return a dataset of the plant."""
    folder.mkdir(exist_ok=True)
    suite = folder / f"{name}.json"
    suite.write_text(json.dumps({"name": name, "expectations": []}))
    fields: dict[str, Any] = {
        "name": name,
        "description": f"The {name} of a plant.",
        "source": between(name, ", ".join(columns)),
        "columns": columns,
        "key": ("reading_id",),
        "timezone": ZONE,
        "expectations": suite,
        "start": date(2024, 1, 1),
    }
    return DatasetSpec(**fields | changes)


def readings(folder: Path, **changes: Any) -> DatasetSpec:
    """Return the dataset of readings."""
    columns = {
        "reading_id": "int64",
        "read_at": "timestamp",
        "machine": "string",
        "heat": "float64",
        "age": "float64",
    }
    return dataset(folder, "readings", columns, **changes)


def failures(folder: Path, **changes: Any) -> DatasetSpec:
    """Return the dataset of labels."""
    columns = {"reading_id": "int64", "read_at": "timestamp", "failed": "bool"}
    return dataset(folder, "failures", columns, **changes)


def project(folder: Path, grain: str, *, sql: str = _SQL, **changes: Any) -> ModelSpec:
    """Return the model at a grain."""
    folder.mkdir(exist_ok=True)
    features = folder / "features.sql"
    features.write_text(sql)
    fields: dict[str, Any] = {
        "name": "failing_machines",
        "description": "Will this machine fail?",
        "inputs": (InputSpec(dataset=readings(folder, grain=grain)),),
        "label": LabelSpec(dataset=failures(folder, grain=grain), target="failed"),
        "features_sql": features,
        "as_of": "read_at",
        "categorical": ("machine",),
        "numeric": ("heat", "age"),
        "estimator": "tests.unit.machines:build",
        "random_state": 3,
        "gate": GateSpec(n_bootstrap=50),
        "drift": DriftSpec(min_rows=30),
        "performance": PerformanceSpec(min_rows=30),
        "retrain": RetrainSpec(),
    }
    return ModelSpec(**fields | changes)


def build(*, categorical: Sequence[str], numeric: Sequence[str], random_state: int) -> Any:
    """Return a small estimator."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = ColumnTransformer(
        [
            ("categories", OneHotEncoder(handle_unknown="ignore"), list(categorical)),
            ("numbers", "passthrough", list(numeric)),
        ]
    )
    return make_pipeline(encode, LogisticRegression(random_state=random_state))


def fill_source(path: Path, first: datetime, last: datetime, every: timedelta) -> None:
    """Write the readings of a span of time, and what became of them."""
    random = np.random.default_rng(11)
    moments = [first + n * every for n in range((last - first) // every)]
    rows = []
    for number, moment in enumerate(moments):
        heat, age = random.normal(60, 10), random.gamma(2.0, 3.0)
        chance = 1 / (1 + np.exp(-(0.25 * (heat - 60) + 0.2 * (age - 6))))
        text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        machine = str(random.choice(["drill", "lathe", "press"]))
        rows.append(
            (number, text, machine, round(heat, 3), round(age, 3), random.random() < chance)
        )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE readings (reading_id, read_at, machine, heat, age)")
        connection.execute("CREATE TABLE failures (reading_id, read_at, failed)")
        connection.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?)", [r[:5] for r in rows])
        labels = [(r[0], r[1], int(r[5])) for r in rows]
        connection.executemany("INSERT INTO failures VALUES (?, ?, ?)", labels)
