"""The ingestion of a trial: each partition is taken in once, and its rows validated."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import (
    EmptyPartitionError,
    MlopsError,
    SourceNotFoundError,
    ValidationFailedError,
)
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import to_json
from mlops_tasks.sources import SOURCES, PublishedDatasets
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.validate import validate
from mlops_tasks.trial import findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.sources import Connection, Source
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.specs.calendar import Step
    from mlops_tasks.trial.journal import Journal

__all__ = ["TrialIngestion"]


class TrialIngestion:
    """Ingest and validate, without Airflow, for any number of models.

    Parameters
    ----------
    connect : callable
        Returns the connection of an id.
    lake, ledger : Lake, Ledger
        Where everything goes.
    journal : Journal
        Where every step is written down.
    run : str
        Name of the run in the ledger.
    """

    def __init__(
        self,
        connect: Callable[[str], Connection],
        lake: Lake,
        ledger: Ledger,
        journal: Journal,
        *,
        run: str = "mlops try",
    ) -> None:
        self.connect, self.lake, self.ledger = connect, lake, ledger
        self.journal, self.run = journal, run
        self.published: dict[str, set[str]] = defaultdict(set)
        self._refused: dict[str, list[str]] = defaultdict(list)
        self._sources: dict[str, Source] = {}

    def take_all(self, datasets: Iterable[DatasetSpec], steps: Iterable[Step]) -> None:
        """Take partitions in, each once: a source of the past has its late rows from the start."""
        by_dag = {f"{dataset.name}.ingest": dataset for dataset in datasets}
        for step in steps:
            if step.dag_id in by_dag:
                self.take(by_dag[step.dag_id], step.partition_key)

    def take(self, dataset: DatasetSpec, key: str) -> None:
        """Ingest and validate a partition; a derived one only once its inputs are published."""
        if all(key in self.published[item.dataset.name] for item in dataset.source.reads):
            raw = self._ingest(dataset, key)
            if raw is not None:
                self._validate(dataset, key, raw)

    def check_published(self, dataset: DatasetSpec) -> None:
        """Refuse a dataset of which nothing could be published: nothing can follow."""
        refused = self._refused[dataset.name]
        if refused and not self.published[dataset.name]:
            with self.journal.step("publish", dataset.name, ""):
                raise EmptyPartitionError(
                    f"dataset {dataset.name!r}: none of its {len(refused)} {dataset.grain}s up to "
                    f"the first training could be published. The last one: {refused[-1]}"
                )

    def _ingest(self, dataset: DatasetSpec, key: str) -> PartitionVersion | None:
        # A partition that is not there fails its task alone. A table that is nowhere never comes.
        gaps: tuple[type[MlopsError], ...] = (EmptyPartitionError,)
        if self.published[dataset.name]:
            gaps += (SourceNotFoundError,)
        raw: PartitionVersion | None = None
        with self.journal.step("ingest", dataset.name, key, survives=gaps) as note:
            result = ingest(
                dataset,
                key,
                source=self._source(dataset),
                lake=self.lake,
                token=self.ledger.next_token(),
                due=dataset.due(key),
            )
            raw, note.n_rows, note.text = result.raw, result.raw.n_rows, "; ".join(result.notes)
        if note.answer == "alarm":
            self._refused[dataset.name].append(note.text)
        return raw

    def _validate(self, dataset: DatasetSpec, key: str, raw: PartitionVersion) -> None:
        refusals = (ValidationFailedError,)
        with self.journal.step("validate", dataset.name, key, survives=refusals) as note:
            token = self.ledger.next_token()
            result = validate(dataset, raw, lake=self.lake, token=token)
            self.ledger.record(
                model=dataset.name,
                kind=EvidenceKind.VALIDATION,
                key=key,
                evidence=to_json(result.evidence()),
                dag_run=self.run,
            )
            note.n_rows, note.text = result.published.n_rows, findings.validation_text(result)
        if note.answer == "alarm":
            self._refused[dataset.name].append(note.text)
        else:
            self.published[dataset.name].add(key)

    def _source(self, dataset: DatasetSpec) -> Source:
        if dataset.name not in self._sources:
            spec = dataset.source
            self._sources[dataset.name] = (
                PublishedDatasets(self.lake)
                if spec.reads
                else SOURCES[spec.kind].from_connection(self.connect(spec.conn_id))
            )
        return self._sources[dataset.name]
