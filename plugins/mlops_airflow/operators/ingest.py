"""Ingest one day of a source into the lake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.hooks.source import SourceHook
from mlops_airflow.operators.base import StepOperator, given_known_at, is_scheduled, partition_of
from mlops_airflow.operators.plain_arguments import check_dataset
from mlops_tasks.lake import known_text
from mlops_tasks.lake.definition import claim_name
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.ingest import ingest, missed_snapshot, raw_table

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.sources import Source
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.steps.ingest import IngestResult

__all__ = ["IngestPartitionOperator"]


class IngestPartitionOperator(StepOperator):
    """Read the run's day from a dataset's source and overwrite its raw partition.

    Parameters
    ----------
    dataset : DatasetSpec
        The dataset, whose source names its connection.
    refresh : bool, default False
        Whether the run takes the day again, for rows recorded late. What a schedule's own run takes
        in counts as known then, and so does the first that a later one takes in, `assumed`; what
        any run finds changed later is known from that day on.
    partition : str, optional
        Which partition, templated; by default the run's partition key.

    Notes
    -----
    XCom: the raw partition as a `PartitionVersion`: table, partition, version, rows and digest.
    """

    template_fields = ("partition",)

    def __init__(
        self,
        *,
        dataset: DatasetSpec,
        refresh: bool = False,
        partition: str | None = None,
        **kwargs: Any,
    ) -> None:
        check_dataset(f"{type(self).__name__} {kwargs.get('task_id')!r}", dataset)
        super().__init__(**kwargs)
        self.dataset, self.refresh, self.partition = dataset, refresh, partition

    def execute(self, context: Context) -> dict[str, Any]:
        """Ingest and return the reference to the raw partition."""
        day = partition_of(context, self.dataset, self.partition)
        place = "/".join(Path(self.dataset.place.file).parts[-2:])
        claim_name(self.lake, self.dataset.name, file=place, digest=self.dataset.digest)
        self._skip_what_cannot_be_taken(day)
        result = ingest(
            self.dataset,
            day,
            source=self._source(context),
            lake=self.lake,
            token=self.next_token(day, raw_table(self.dataset)),
            known_at=given_known_at(context, self.dataset),
            due=self.dataset.due(day, refreshed=self.refresh),
            on_schedule=is_scheduled(context),
        )
        self.report(f"ingested {self.dataset.name} {day}", self._facts(result))
        return to_json(result.raw)

    def _source(self, context: Context) -> Source:
        """Return what reads the dataset's source."""
        source = self.dataset.source
        return SourceHook(source.conn_id).get_source(source)

    def _skip_what_cannot_be_taken(self, partition: str) -> None:
        """Skip a missed snapshot, and what is derived from what an input has not published yet."""
        if missed := missed_snapshot(self.dataset, partition):
            raise AirflowSkipException(missed)
        for item in self.dataset.source.reads:
            table = self.lake.table(item.dataset.name)
            if not table.exists or partition not in table.partitions():
                raise AirflowSkipException(
                    f"{self.dataset.name} waits for {item.dataset.name} {partition}; its event "
                    "starts this Dag again"
                )

    def _facts(self, result: IngestResult) -> dict[str, Any]:
        rate = result.raw.n_rows / max(result.query_s, 0.001)
        return {
            "source": f"{self.dataset.source.called}: {result.described}",
            "rows": f"{result.raw.n_rows} in {result.query_s} s, {rate:.0f} rows/s",
            "columns": list(result.notes) or "those of the contract",
            "table": f"{result.raw.table} version {result.raw.version}",
            "known": known_text(result.raw),
            "digest": result.raw.digest[:12],
        }
