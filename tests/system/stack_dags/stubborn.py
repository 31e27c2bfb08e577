"""Tasks that native code keeps busy, far beyond their time limit."""

from __future__ import annotations

import tempfile
from datetime import timedelta

from airflow.sdk import Context, dag

from mlops_airflow.operators.base import StepOperator


class QueryOperator(StepOperator):
    """Join every row with every other, and again."""

    def execute(self, context: Context) -> None:
        import pyarrow as pa

        from mlops_tasks.features.duckdb_session import connect

        print(f"folder {tempfile.gettempdir()}")  # noqa: T201
        with connect() as connection:
            connection.register("t", pa.table({"x": range(20_000)}))
            query = "SELECT a.x + b.x + c.x AS y FROM t a, t b, t c ORDER BY y"
            connection.sql(query).to_arrow_table()


class StuckOperator(StepOperator):
    """Keep the interpreter's lock, so that neither a signal nor a thread arrives."""

    def execute(self, context: Context) -> None:
        print(f"folder {tempfile.gettempdir()}")  # noqa: T201
        sum(range(10**13))


@dag(schedule=None, tags=["test"])
def stubborn() -> None:
    limit = timedelta(seconds=2)
    QueryOperator(task_id="query", execution_timeout=limit)
    StuckOperator(task_id="stuck", execution_timeout=limit)


stubborn()
