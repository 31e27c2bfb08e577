"""Ingest one day of a source database into the lake."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.database import SourceHook
from mlops_airflow.operators.base import StepOperator, known_at, partition_of
from mlops_tasks.ingestion import ingest

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.spec import DatasetSpec

__all__ = ["IngestPartitionOperator"]


class IngestPartitionOperator(StepOperator):
    """Run a dataset's query for the run's day and overwrite its raw partition.

    Parameters
    ----------
    dataset : DatasetSpec
        The dataset, which also names the connection of its source.
    nights : int
        Nights between a day and its scheduled ingestion.
    """

    def __init__(self, *, dataset: DatasetSpec, nights: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.nights = nights

    def execute(self, context: Context) -> dict[str, Any]:
        """Ingest and return the reference to the raw partition."""
        day, source = partition_of(context), SourceHook(self.dataset.conn_id).get_conn()
        result = ingest(
            self.dataset,
            day,
            source=source,
            lake=self.lake,
            token=self.ledger.next_token(),
            known_at=known_at(context, nights=self.nights),
        )
        facts = {
            "source": self.dataset.conn_id,
            "rows": result.raw.n_rows,
            "table": f"{result.raw.table} version {result.raw.version}",
            "digest": result.raw.digest[:12],
            "query": f"{result.query_s} s",
        }
        self.report(f"ingested {self.dataset.name} {day}", facts)
        return asdict(result.raw)
