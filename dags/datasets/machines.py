"""The datasets that the machine models share: readings, and trends derived from them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from mlops_airflow.lifecycle import build_dataset_dags
from mlops_tasks.specs import DatasetSpec, DerivedSource, InputSpec
from mlops_tasks.specs.source import SqlSource

HERE = Path(__file__).parent
FIRST, LAST = date(2024, 1, 1), date(2024, 7, 28)
KEY = {"machine_id": "string", "day": "string"}

READINGS = DatasetSpec(
    name="readings",
    description="What the sensors of each machine show in the evening.",
    owner="plant-data",
    source=SqlSource(
        conn_id="machines_source",
        query="""
            SELECT machine_id, day, read_at, kind, hours, temperature, vibration
            FROM readings WHERE day = :partition
        """,
    ),
    columns=KEY
    | {
        "read_at": "timestamp",
        "kind": "string",
        "hours": "float64",
        "temperature": "float64",
        "vibration": "float64",
    },
    key=tuple(KEY),
    expectations=HERE / "expectations" / "readings.json",
    start=FIRST,
    end=LAST,
)

TRENDS = DatasetSpec(
    name="machine_trends",
    description="Each machine's evening beside its own week.",
    owner="plant-data",
    source=DerivedSource(
        inputs=(InputSpec(dataset=READINGS, lookback="6d"),),
        query="""
            SELECT now.machine_id, now.day, now.read_at, now.kind, now.hours, now.temperature,
                   now.vibration, week.temperature AS week_temperature,
                   week.vibration AS week_vibration
            FROM readings AS now
            JOIN this_partition AS p ON now.partition_key = p.partition_key
            JOIN (
                SELECT machine_id, avg(temperature) AS temperature, max(vibration) AS vibration
                FROM readings GROUP BY machine_id
            ) AS week ON week.machine_id = now.machine_id
        """,
    ),
    columns=dict(READINGS.columns) | {"week_temperature": "float64", "week_vibration": "float64"},
    key=tuple(KEY),
    expectations=HERE / "expectations" / "machine_trends.json",
    start=FIRST,
    end=LAST,
)

build_dataset_dags(READINGS, namespace=globals())
build_dataset_dags(TRENDS, namespace=globals())
