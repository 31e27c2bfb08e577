"""Sensors of partitions, in each way that they can wait, each with a run of its own."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from mlops_airflow.sensors.partitions import PartitionSensor

WAYS: dict[str, dict[str, Any]] = {
    "deferred": {"deferrable": True, "timeout": 300},
    "poked": {"deferrable": False, "timeout": 300},
    "rescheduled": {"deferrable": False, "mode": "reschedule", "timeout": 300},
    "given_up": {"deferrable": True, "timeout": 3},
    "given_up_softly": {"deferrable": True, "timeout": 3, "soft_fail": True},
}

for way, options in WAYS.items():
    with DAG(f"wait_{way}", schedule=None, tags=["test"]) as dag:
        wait = PartitionSensor(
            task_id="wait",
            table=("visits", "staff"),
            partition="2024-03-04",
            poke_interval=1,
            **options,
        )

        @task
        def after(published: dict[str, Any]) -> int:
            return sum(one["n_rows"] for found in published.values() for one in found)

        after(wait.output)
    globals()[f"wait_{way}"] = dag
