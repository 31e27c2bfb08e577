"""What a task of the embedded stack finds when it starts."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None, tags=["test"])
def probe() -> None:
    @task
    def look() -> dict[str, object]:
        import os
        import sys

        from airflow.sdk import Connection

        from mlops_airflow.stack.environment import PRELOAD

        return {
            "missing": [name for name in PRELOAD if name not in sys.modules],
            "umask": os.umask(0o077),
            "mlflow": Connection.get("mlflow_default").port,
            "lake": Connection.get("lake_default").extra_dejson["path"],
        }

    @task
    def after() -> int:
        return 1

    look() >> after()


probe()
