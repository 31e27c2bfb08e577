"""Everything that is unique to the machine failure model."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from mlops_tasks.specs import DatasetSpec, GateSpec, InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.source import SqlSource

HERE = Path(__file__).parent
FIRST, LAST = date(2024, 1, 1), date(2024, 7, 28)

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
    columns={
        "machine_id": "string",
        "day": "string",
        "read_at": "timestamp",
        "kind": "string",
        "hours": "float64",
        "temperature": "float64",
        "vibration": "float64",
    },
    key=("machine_id", "day"),
    expectations=HERE / "expectations" / "readings.json",
    start=FIRST,
    end=LAST,
)

FAILURES = DatasetSpec(
    name="failures",
    description="Whether a machine failed within two weeks, known when they are over.",
    owner="plant-data",
    source=SqlSource(
        conn_id="machines_source",
        query="SELECT machine_id, day, failed FROM failures WHERE day = :partition",
    ),
    columns={"machine_id": "string", "day": "string", "failed": "int64"},
    key=("machine_id", "day"),
    expectations=HERE / "expectations" / "failures.json",
    start=FIRST,
    end=LAST,
    delay_days=15,
)

MODEL = ModelSpec(
    name="machine_failures",
    description="Will this machine fail within two weeks?",
    owner="plant-ml",
    inputs=(InputSpec(dataset=READINGS),),
    label=LabelSpec(dataset=FAILURES, target="failed"),
    features_sql=HERE / "features.sql",
    as_of="asked_at",
    categorical=("kind",),
    numeric=("hours", "temperature", "vibration"),
    estimator="machine_failures.model:build",
    random_state=2024,
    costs={"false_alarm": 1, "miss": 25},
    evaluation_days=14,
    gate=GateSpec(metric="expected_cost", max_worse_log_loss=0.02),
)
